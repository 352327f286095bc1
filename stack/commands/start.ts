import { once } from 'node:events'
import { join, relative } from 'node:path'
import { parseArgs } from 'node:util'
import { createRunDirectories, orderlyDirectory, projectDirectory } from '../directories.ts'
import { externalServers } from '../external-servers.ts'
import { readExtras } from '../extras.ts'
import { monitoringSettings } from '../parts/monitoring-settings.ts'
import { portUses, usualPorts } from '../preflight/ports.ts'
import { preflight } from '../preflight/preflight.ts'
import { takeRunLock } from '../preflight/run-lock.ts'
import { usualLogLimits } from '../processes/log-rotation.ts'
import { readKafkaMode } from '../servers.ts'
import { partitionsOf, type RunningStack, startStack } from '../stack.ts'
import { showSteps } from '../terminal/steps.ts'
import { formatTable } from '../terminal/table.ts'
import { runCommand } from './command.ts'

await runCommand(async ({ supervise, signal }) => {
  const {
    watch,
    run,
    with: beside,
    kafka
  } = parseArgs({
    options: {
      watch: { type: 'boolean', default: false },
      run: { type: 'string', default: 'start' },
      with: { type: 'string' },
      kafka: { type: 'string' }
    }
  }).values
  const environment = process.env
  const extras = readExtras(beside)
  const kafkaMode = readKafkaMode(kafka)
  if (extras.has('monitoring')) monitoringSettings(environment) // wrong ones are refused before anything starts
  const externals = externalServers(environment)
  const ports = usualPorts(environment)
  const partitions = partitionsOf(environment)
  const directories = createRunDirectories(run, run === 'start' ? join(orderlyDirectory, 'data') : undefined)
  const lock = takeRunLock(directories.run)
  const supervisor = supervise(directories.logs, usualLogLimits)
  lock.noteWatchdog(supervisor.watchdogPID)
  try {
    await lock.predecessorGone()
    await preflight({
      directory: directories.run,
      externals,
      ports: portUses(ports, externals, extras),
      extras,
      kafkaMode
    })
    const stack = await startStack({
      ...{ supervisor, directories, ports, durable: true, environment, partitions, watch, extras, kafkaMode },
      show: showSteps
    })
    process.stdout.write(`\n${await describe(stack)}\n`)
    process.stdout.write(
      `Logs: ${relative(projectDirectory, directories.logs)}/  Ctrl-C stops everything; the data stays.\n`
    )
    tellOfEnds(stack, signal)
    if (!signal.aborted) await once(signal, 'abort')
    process.stderr.write('\nstopping: services, then servers\n')
    return 0
  } finally {
    await supervisor.stop()
    lock.release()
  }
})

async function describe({ parts, externals, orderURL }: RunningStack): Promise<string> {
  const rows = await Promise.all(
    parts.map(async part => [part.name, part.address, (await part.isHealthy()) ? 'healthy' : 'NOT HEALTHY'])
  )
  const others = [...externals].map(([name, address]) => [name, address, 'run by others'])
  const order = { userID: 'ada', items: [{ sku: 'TEA-EARL-GREY-100G', quantity: 2 }], total: 13.8 }
  return `${formatTable(['part', 'address', 'health'], [...others, ...rows])}

Try:  curl -i ${orderURL}/orders -H 'content-type: application/json' -d '${JSON.stringify(order)}'
`
}

function tellOfEnds({ parts }: RunningStack, signal: AbortSignal): void {
  for (const child of parts.flatMap(part => part.processes)) {
    void child.exited.then(({ code, signal: killedBy }) => {
      if (signal.aborted) return
      process.stderr.write(
        `${child.name} has ended (${killedBy ?? `exit code ${code}`}), the others go on; its log: ${relative(projectDirectory, child.logFile)}\n`
      )
    })
  }
}
