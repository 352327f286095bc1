import { type CommandSpec, commonOptions } from '@orderly/command-line'
import type { RunningComponent } from '../components/component.ts'
import { type DemoReport, describeReport } from '../demo/report.ts'
import { runOrders } from '../demo/run-orders.ts'
import { externalServers } from '../external-servers.ts'
import { extraPorts } from '../extras.ts'
import { preflight } from '../preflight/preflight.ts'
import { residentBytes } from '../processes/memory.ts'
import { freePorts } from '../processes/ports.ts'
import { kafkaOption, readKafkaMode, serverPorts } from '../servers.ts'
import { serviceNames } from '../services.ts'
import { partitionsOf, startStack } from '../stack.ts'
import { showLines, showSteps } from '../terminal/steps.ts'
import { createThrowAwayRun } from '../throw-away-run.ts'
import { runCommand } from './command.ts'

const spec: CommandSpec = {
  name: 'npm run demo --',
  summary: 'run the stack on free ports with temporary data, post sample orders, show their outcomes, and stop',
  examples: ['npm run demo', 'npm run --silent demo -- --json'],
  options: { kafka: kafkaOption, ...commonOptions }
}

await runCommand(spec, async ({ options, supervise, signal }) => {
  const asJSON = options.flag('json')
  const environment = process.env
  const kafkaMode = readKafkaMode(options.text('kafka'))
  const run = createThrowAwayRun('demo')
  const { directories } = run
  let supervisor: ReturnType<typeof supervise> | undefined
  let isGood = false
  try {
    await preflight({ directory: directories.run, externals: externalServers(environment), ports: [], kafkaMode })
    supervisor = supervise(directories.logs)
    const { components, orderURL } = await startStack({
      supervisor,
      directories,
      ports: await freePorts([...serverPorts, ...serviceNames, ...extraPorts]),
      durable: true,
      environment,
      partitions: partitionsOf(environment),
      kafkaMode,
      show: asJSON ? showLines : showSteps
    })
    const startUpMs = Math.round(performance.now())
    const orders = await runOrders(orderURL, notificationProcess(components), signal)
    const figures = await Promise.all(components.map(figuresOf))
    const launcher = { name: 'launcher', startMs: 0, residentMB: inMB(process.memoryUsage.rss()) }
    const report: DemoReport = {
      ok: orders.unexpected.length === 0 && orders.verdicts.every(({ asExpected }) => asExpected),
      orders: orders.verdicts,
      unexpected: orders.unexpected,
      startUpMs,
      components: [...figures, launcher],
      residentMB: figures.reduce((sum, { residentMB }) => sum + residentMB, launcher.residentMB)
    }
    process.stdout.write(asJSON ? `${JSON.stringify(report, undefined, 2)}\n` : `\n${describeReport(report)}\n`)
    isGood = report.ok
    return isGood ? 0 : 1
  } finally {
    await supervisor?.stop()
    // Keeps the logs of a failed demo for diagnosis.
    const keepLogs = supervisor !== undefined && !isGood && !signal.aborted
    await run.discard({ keepLogs })
    if (keepLogs) process.stderr.write(`Logs: ${directories.logs}\n`)
  }
})

function notificationProcess(components: readonly RunningComponent[]) {
  const child = components.find(({ name }) => name === 'notification')?.processes[0]
  if (child === undefined) throw new Error('The notification service is not among the components')
  return child
}

async function figuresOf({ name, startMs, processes }: RunningComponent) {
  return { name, startMs, residentMB: inMB(await residentBytes(processes.map(({ pid }) => pid))) }
}

function inMB(bytes: number): number {
  return Math.round(bytes / 1024 / 1024)
}
