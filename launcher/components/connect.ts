import { readFile, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import type { KafkaConnection } from '@orderly/kafka'
import {
  type Connector,
  installConnector,
  keepRunning,
  readConnector,
  stateOf
} from '../../deploy/connect/connector.ts'
import { projectDirectory } from '../directories.ts'
import type { Java } from '../preflight/java.ts'
import { loopback } from '../processes/ports.ts'
import type { SupervisedProcess, Supervisor } from '../processes/supervisor.ts'
import { waitUntilHealthy } from '../processes/wait.ts'
import type { RunningComponent } from './component.ts'
import { connectAccess } from './connect-access.ts'
import { preparePlugins } from './connect-plugin.ts'
import { classPath, connectJars } from './jars.ts'
import { javaClientProperties } from './java-client.ts'
import { metricsAgent, startJavaServer } from './java-process.ts'
import { formatProperties } from './java-properties.ts'

/**
 * Loggers that write a line for every request, or for every attempt to reach an unavailable broker.
 */
const quietLoggers = [
  'org.apache.kafka.clients',
  'org.apache.kafka.common.config',
  'org.apache.kafka.connect.runtime.distributed.WorkerCoordinator',
  'org.apache.kafka.connect.runtime.isolation',
  'org.apache.kafka.connect.runtime.rest.RestServer'
]

export interface ConnectOptions {
  readonly supervisor: Supervisor
  readonly java: Java
  readonly dataDirectory: string
  readonly port: number
  readonly connection: KafkaConnection
  /** Address for the role of the sink, which may create tables in the schema `audit`. */
  readonly databaseURL: string
  /** Base address of the Confluent-compatible API. */
  readonly registryURL: string
  readonly name?: string
  /** Connector file of `deploy/connect` to install. */
  readonly connector?: 'audit-postgres' | 'audit-mongodb'
  /** Address of the server that `audit-mongodb` writes to. */
  readonly mongodbURI?: string
  /** Port of the metrics agent. */
  readonly metricsPort?: number | undefined
}

export interface RunningConnect extends RunningComponent {
  /** Base of the REST API with user and password. */
  readonly workerURL: string
}

/**
 * Starts a worker of Kafka Connect with an audit connector of `deploy/connect`, and restarts failed
 * tasks.
 */
export async function startConnect(options: ConnectOptions): Promise<RunningConnect> {
  const startedAt = performance.now()
  const connector = await readConnector(options.connector ?? 'audit-postgres')
  const { workerURL } = connectAccess(options.dataDirectory, options.port)
  const child = await startWorker(options)
  const watching = new AbortController()
  void child.exited.catch(() => {}).finally(() => watching.abort())
  try {
    await waitUntilHealthy(child, () => installed(workerURL, connector), 120_000)
  } catch (error) {
    await child.stop()
    throw error
  }
  void keepRunning(workerURL, connector.name, {
    signal: watching.signal,
    onOperatorNeeded: reason => process.stderr.write(`${connector.name} has stopped: ${reason}\n`)
  })
  return {
    name: 'connect',
    address: `http://${loopback}:${options.port}`,
    workerURL,
    processes: [child],
    startMs: Math.round(performance.now() - startedAt),
    isHealthy: () => isRunning(workerURL, connector).catch(() => false),
    stop: async () => {
      await child.stop()
    }
  }
}

/**
 * Starts only the worker process, which resumes the connectors stored in Kafka. Resolves without
 * waiting until it is ready.
 */
export async function startWorker(options: ConnectOptions): Promise<SupervisedProcess> {
  const { supervisor, java, dataDirectory, port, metricsPort, name = 'connect' } = options
  const { jaasFile } = connectAccess(dataDirectory, port)
  const propertiesFile = join(dataDirectory, `${name}.properties`)
  await writeFile(
    propertiesFile,
    await workerProperties(options, relative(dataDirectory, await preparePlugins(supervisor, java)))
  )
  return startJavaServer(supervisor, {
    name,
    // Stops before the broker, so that it can leave its group.
    tier: 'service',
    java,
    jars: connectJars,
    agent: metricsAgent(metricsPort, 'connect', dataDirectory),
    cwd: dataDirectory,
    env: { ...process.env, ...auditVariables(options) },
    args: [
      '-Xmx256m',
      '-Xms48m',
      '-XX:TieredStopAtLevel=1',
      '-Dorg.slf4j.simpleLogger.showDateTime=true',
      '-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss.SSS',
      `-Djava.security.auth.login.config=${jaasFile}`,
      ...quietLoggers.map(logger => `-Dorg.slf4j.simpleLogger.log.${logger}=warn`),
      '-cp',
      await classPath(connectJars),
      'org.apache.kafka.connect.cli.ConnectDistributed',
      propertiesFile
    ]
  })
}

async function installed(workerURL: string, connector: Connector): Promise<boolean> {
  await installConnector(workerURL, connector)
  return isRunning(workerURL, connector)
}

async function isRunning(workerURL: string, { name }: Connector): Promise<boolean> {
  const { tasks } = await stateOf(workerURL, name)
  return tasks.length > 0 && tasks.every(({ state }) => state === 'RUNNING')
}

/** Returns the environment variables that the files in `deploy/connect` refer to. */
function auditVariables({ databaseURL, registryURL, mongodbURI }: ConnectOptions): NodeJS.ProcessEnv {
  const { host, pathname, username, password } = new URL(databaseURL)
  return {
    AUDIT_JDBC_URL: `jdbc:postgresql://${host}${pathname}`,
    AUDIT_DATABASE_USERNAME: decodeURIComponent(username),
    AUDIT_DATABASE_PASSWORD: decodeURIComponent(password),
    AUDIT_REGISTRY_URL: registryURL,
    ...(mongodbURI !== undefined && { AUDIT_MONGODB_URI: mongodbURI })
  }
}

/** Returns the settings of the container, with the addresses of this run and shorter timeouts. */
async function workerProperties({ connection, port }: ConnectOptions, pluginDirectory: string): Promise<string> {
  const text = await readFile(join(projectDirectory, 'deploy', 'connect', 'worker.properties'), 'utf8')
  const ofContainer = text.split('\n').flatMap(line => {
    const [, name, value] = /^([^#=]+)=(.*)$/.exec(line) ?? []
    const isOfContainer = name === undefined || name.startsWith('listeners')
    return isOfContainer || value === undefined ? [] : [[name, value] as const]
  })
  const client = javaClientProperties(connection)
  const settings = {
    ...Object.fromEntries(ofContainer),
    ...prefixed('', client),
    ...prefixed('consumer.', client),
    ...prefixed('producer.', client),
    ...prefixed('admin.', client),
    'plugin.path': pluginDirectory,
    listeners: `http://${loopback}:${port}`,
    'rest.advertised.host.name': loopback,
    'session.timeout.ms': 10_000,
    'heartbeat.interval.ms': 3_000,
    'offset.flush.interval.ms': 1_000
  }
  return formatProperties(settings)
}

function prefixed(prefix: string, settings: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(settings).map(([key, value]) => [`${prefix}${key}`, value]))
}
