import { once } from 'node:events'
import { join, relative } from 'node:path'
import { type CommandSpec, formatRows } from '@orderly/command-line'
import { apiNames, publishLocalStack } from '@orderly/service-kit'
import { connectAccess, connectDirectory } from '../components/connect-access.ts'
import { monitoringSettings } from '../components/monitoring-settings.ts'
import { createRunDirectories, orderlyDirectory, projectDirectory } from '../directories.ts'
import { externalServers, type ServerName } from '../external-servers.ts'
import { type Extras, readExtras, withOption } from '../extras.ts'
import { freeOrChosenPorts, portUses, usualPorts } from '../preflight/ports.ts'
import { preflight } from '../preflight/preflight.ts'
import { takeRunLock } from '../preflight/run-lock.ts'
import { checkServiceSettings } from '../preflight/service-settings.ts'
import { usualLogLimits } from '../processes/log-rotation.ts'
import { loopback } from '../processes/ports.ts'
import { describeExit } from '../processes/supervisor.ts'
import { kafkaOption, readKafkaMode } from '../servers.ts'
import { serviceNames } from '../services.ts'
import { partitionsOf, type RunningStack, startStack } from '../stack.ts'
import { showSteps } from '../terminal/steps.ts'
import { runCommand } from './command.ts'

/** Stands in for the address of the Postgres that this run will start. */
const placeholderURL = 'postgres://orderly@127.0.0.1/orderly'

const spec: CommandSpec = {
  name: 'npm start --',
  summary: 'start the whole stack with persistent data; Ctrl-C stops it',
  examples: ['npm start', 'npm run dev', 'npm start -- --with connect,monitoring', 'npm start -- --free-ports'],
  options: {
    with: withOption,
    kafka: kafkaOption,
    'free-ports': { type: 'boolean', description: 'uses free ports where no setting chooses one' },
    watch: { type: 'boolean', description: 'restarts a service when its code changes, as npm run dev does' },
    run: { type: 'string', placeholder: 'NAME', description: 'separate data and logs with this name' }
  },
  notes: 'The settings of the stack are environment variables: docs/reference/configuration.md.'
}

await runCommand(spec, async ({ options, supervise, signal }) => {
  const run = options.text('run') ?? 'start'
  const watch = options.flag('watch')
  const environment = process.env
  const extras = readExtras(options.text('with'))
  const kafkaMode = readKafkaMode(options.text('kafka'))
  if (extras.has('monitoring')) monitoringSettings(environment) // throws for invalid settings, before anything starts
  const externals = externalServers(environment)
  const ports = options.flag('free-ports') ? await freeOrChosenPorts(environment) : usualPorts(environment)
  const partitions = partitionsOf(environment)
  const started = extras.has('monitoring') ? [...serviceNames, 'monitor' as const] : serviceNames
  checkServiceSettings(started, () => ({ ...environment, DATABASE_URL: environment.DATABASE_URL || placeholderURL }))
  const directories = createRunDirectories(run, run === 'start' ? join(orderlyDirectory, 'data') : undefined)
  const lock = takeRunLock(directories.run)
  const servers = ['kafka', 'postgres', 'registry'].filter(name => !externals.has(name as ServerName))
  process.stderr.write(`starting ${[...servers, ...extras, ...serviceNames].join(', ')}\n`)
  const supervisor = supervise(directories.logs, usualLogLimits)
  lock.noteWatchdog(supervisor.watchdogPID)
  const stopping = new AbortController()
  let withdraw = () => {}
  try {
    await lock.predecessorGone()
    await preflight({
      directory: directories.run,
      externals,
      ports: portUses(ports, externals, extras),
      extras,
      kafkaMode
    })
    withdraw = publishLocalStack(
      {
        pid: process.pid,
        addresses: addressesOf(ports, extras, environment, directories.data),
        database: externals.get('postgres') ?? `postgres://${loopback}:${ports.postgres}/orderly`
      },
      join(directories.run, 'stack.json')
    )
    const stack = await startStack({
      ...{ supervisor, directories, ports, durable: true, environment, partitions, watch, extras, kafkaMode },
      keepRunning: {
        report: text => process.stderr.write(`${text}\n`),
        signal: AbortSignal.any([signal, stopping.signal])
      },
      show: showSteps
    })
    process.stdout.write(`\n${await describe(stack, environment)}\n`)
    for (const notice of stack.notices) process.stderr.write(`${notice}\n`)
    const logs = relative(projectDirectory, directories.logs)
    process.stdout.write(`Notifications: see ${logs}/notification.log\n`)
    process.stdout.write(`Logs: ${logs}/  Ctrl-C stops everything; the data stays.\n`)
    reportEnds(stack, signal)
    if (!signal.aborted) await once(signal, 'abort')
    process.stderr.write('\nstopping: services, then servers\n')
    return 0
  } finally {
    stopping.abort()
    withdraw()
    await supervisor.stop()
    lock.release()
  }
})

async function describe(
  { components, externals, orderURL }: RunningStack,
  environment: NodeJS.ProcessEnv
): Promise<string> {
  const rows = await Promise.all(
    components.map(async component => [
      component.name,
      component.address,
      (await component.isHealthy()) ? 'healthy' : 'NOT HEALTHY'
    ])
  )
  const others = [...externals].map(([name, address]) => [name, address, 'external'])
  return `${formatRows(['component', 'address', 'health'], [...others, ...rows])}

API:  ${orderURL}/docs (${apiNames.join(', ')})
${example(orderURL, environment)}
`
}

/** Returns commands that place an order, with a new API key if the order service requires one. */
function example(orderURL: string, { API_KEYS, ORDERLY_PROFILE }: NodeJS.ProcessEnv): string {
  const order = { userID: 'ada', items: [{ sku: 'TEA-EARL-GREY-100G', quantity: 2 }], total: 13.8 }
  const place = `curl -i ${orderURL}/orders -H 'content-type: application/json' -d '${JSON.stringify(order)}'`
  const needsKey = API_KEYS === 'required' || (ORDERLY_PROFILE === 'prod' && API_KEYS !== 'off')
  if (!needsKey) return `Try:  ${place}`
  return `Try:  KEY=$(npm run --silent api-keys -- create --name ada-shop --role shop)
      ${place} -H "authorization: Bearer $KEY"`
}

/** Returns the addresses that the command line uses by default. */
function addressesOf(
  ports: ReturnType<typeof usualPorts>,
  extras: Extras,
  { KAFKA_BROKERS, SCHEMA_REGISTRY_URL }: NodeJS.ProcessEnv,
  dataDirectory: string
): Record<string, string> {
  const services = serviceNames.map(name => [`${name.toUpperCase()}_URL`, `http://${loopback}:${ports[name]}`])
  return {
    KAFKA_BROKERS: KAFKA_BROKERS?.trim() || `${loopback}:${ports.kafka}`,
    SCHEMA_REGISTRY_URL: SCHEMA_REGISTRY_URL?.trim() || `http://${loopback}:${ports.registry}/apis/ccompat/v7`,
    ...Object.fromEntries(services),
    ...(extras.has('connect') && {
      CONNECT_URL: connectAccess(connectDirectory(dataDirectory), ports.connect).workerURL
    }),
    ...(extras.has('monitoring') && { PROMETHEUS_URL: `http://${loopback}:${ports.prometheus}` })
  }
}

/** Reports servers that exit. Services are restarted, and `keepRunning` reports them. */
function reportEnds({ components }: RunningStack, signal: AbortSignal): void {
  const servers = components.filter(({ name }) => !serviceNames.some(service => service === name))
  for (const child of servers.flatMap(component => component.processes)) {
    void child.exited.then(exit => {
      if (signal.aborted) return
      process.stderr.write(
        `${child.name} ended (${describeExit(exit)}) and is not restarted; log: ${relative(projectDirectory, child.logFile)}\n`
      )
    })
  }
}
