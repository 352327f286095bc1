import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { checkConnection } from '@orderly/kafka'
import {
  chooseJava,
  createMissingTopics,
  type DatabaseAccess,
  findJavas,
  freePort,
  freePorts,
  javaWith,
  type KafkaOptions,
  kafkaJars,
  loopback,
  type PostgresOptions,
  prepareDatabase,
  registryJars,
  restartKafkaNode,
  type SupervisedProcess,
  startKafka,
  startPostgres,
  startRegistry,
  waitUntil
} from '@orderly/launcher'
import { type DatabaseRole, ownerRole } from '@orderly/postgres'
import pg from 'pg'
import { migrateAll } from '../../../deploy/postgres/schemas.ts'
import { type Link, startProxy } from '../proxy/proxy.ts'
import { startAudit } from './audit.ts'
import type { FaultyServer, ServersOptions } from './faulty-server.ts'
import { descendantsOf, freezeFor, signalAll } from './process-tree.ts'

/**
 * The real servers, with direct addresses for the verifier and proxied addresses for the services.
 */
export interface Servers {
  readonly brokers: readonly string[]
  /** Direct URL for the superuser, who can read all schemas. */
  readonly databaseURL: string
  readonly registryURL: string
  readonly proxied: { readonly brokers: readonly string[]; databaseURL(role: DatabaseRole): string }
  readonly faulty: ReadonlyMap<string, FaultyServer>
  readonly hasConnect: boolean
  /** Links to the servers by name: `kafka-1`, `postgres`. */
  readonly links: ReadonlyMap<string, Link>
  stop(): Promise<void>
}

/** Servers that several runs share, because no run leaves state there that affects the next one. */
export interface SharedServers {
  readonly registryURL: string
  /** Creates a database with all schemas. @returns its URL for the superuser */
  createDatabase(): Promise<string>
  readonly databaseAccess: DatabaseAccess
  readonly postgres: PostgresOptions
  postgresProcess: SupervisedProcess
}

const partitions = 4
/** Guards against a broker that never starts. It is not a bound for a slow machine. */
const restartDeadlineMs = 180_000

export async function startSharedServers({ supervisor, directories }: ServersOptions): Promise<SharedServers> {
  const java = await javaWith([kafkaJars, registryJars], supervisor, text => process.stderr.write(`${text}\n`))
  const ports = await freePorts(['postgres', 'registry'])
  const postgres = {
    supervisor,
    dataDirectory: join(directories.data, 'postgres'),
    port: ports.postgres,
    durable: true
  }
  const registry = { supervisor, java, dataDirectory: join(directories.data, 'registry'), port: ports.registry }
  const [runningPostgres, runningRegistry] = await Promise.all([startPostgres(postgres), startRegistry(registry)])
  return {
    registryURL: runningRegistry.address,
    databaseAccess: runningPostgres.access,
    postgres,
    postgresProcess: runningPostgres.processes[0] as SupervisedProcess,
    async createDatabase() {
      const name = `verify_${randomBytes(4).toString('hex')}`
      const { access } = runningPostgres
      await prepareDatabase(access, name)
      await migrateAll(access.urlOf(ownerRole, name), { logger: { info: () => {}, warn: () => {} } })
      return access.superuserURL(name)
    }
  }
}

/** Starts an empty Kafka cluster, creates a database, and starts proxies for both. */
export async function startServers(shared: SharedServers, options: ServersOptions): Promise<Servers> {
  const { supervisor, directories } = options
  const kafka: KafkaOptions = {
    supervisor,
    java: chooseJava(findJavas()),
    dataDirectory: join(directories.data, `kafka-${randomBytes(4).toString('hex')}`),
    nodes: await planNodes(options.brokers),
    isShortLived: true,
    heapMB: 384
  }
  const links = new Map<string, Link>()
  for (const { id, detour } of kafka.nodes) {
    if (detour === undefined) continue
    links.set(`kafka-${id}`, await startProxy({ port: detour.advertisedPort, targetPort: detour.port }))
  }
  const postgresLink = await startProxy({ targetPort: shared.postgres.port })
  links.set('postgres', postgresLink)

  const [running, databaseURL] = await Promise.all([startKafka(kafka), shared.createDatabase()])
  const replicationFactor = running.replicationFactor
  await createMissingTopics({ brokers: running.brokers, clientID: 'orderly-verify' }, { partitions, replicationFactor })

  const brokerServers = kafka.nodes.map((_, index) => brokerServer(kafka, index, running.processes[index]))
  const proxiedDatabase = new URL(databaseURL)
  proxiedDatabase.port = String(postgresLink.port)
  const proxiedBrokers = kafka.nodes.map(({ detour }) => `${loopback}:${detour?.advertisedPort}`)
  const connect = options.hasConnect
    ? await startAudit({
        ...options,
        connection: { brokers: proxiedBrokers, clientID: 'orderly-verify' },
        directConnection: { brokers: running.brokers, clientID: 'orderly-verify' },
        replicationFactor,
        databaseURL: shared.databaseAccess.as('orderly_connect', proxiedDatabase.href),
        registryURL: shared.registryURL
      })
    : undefined
  return {
    brokers: running.brokers,
    databaseURL,
    registryURL: shared.registryURL,
    proxied: {
      brokers: proxiedBrokers,
      databaseURL: role => shared.databaseAccess.as(role, proxiedDatabase.href)
    },
    hasConnect: connect !== undefined,
    faulty: new Map(
      [...brokerServers, postgresServer(shared), ...(connect ? [connect] : [])].map(server => [server.name, server])
    ),
    links,
    async stop() {
      await connect?.resume().then(connect.stop)
      await Promise.all(brokerServers.map(server => server.resume().then(server.stop)))
      await Promise.all([...links.values()].map(link => link.close()))
    }
  }
}

async function planNodes(count: number): Promise<KafkaOptions['nodes']> {
  const nodes: KafkaOptions['nodes'][number][] = []
  for (let id = 1; id <= count; id++) {
    const [port, controllerPort, detourPort, advertisedPort] = await Promise.all(Array.from({ length: 4 }, freePort))
    if (new Set([port, controllerPort, detourPort, advertisedPort]).size < 4) return planNodes(count)
    nodes.push({
      id,
      port: port as number,
      controllerPort: controllerPort as number,
      detour: { port: detourPort as number, advertisedPort: advertisedPort as number }
    })
  }
  return nodes
}

function brokerServer(kafka: KafkaOptions, index: number, first: SupervisedProcess | undefined): FaultyServer {
  const node = kafka.nodes[index] as KafkaOptions['nodes'][number]
  const connection = { brokers: [`${loopback}:${node.port}`], clientID: 'orderly-verify' }
  let child = first as SupervisedProcess
  return {
    name: `kafka-${node.id}`,
    async kill() {
      child.signal('SIGKILL')
      await child.exited
    },
    async stop() {
      await child.stop()
    },
    async restart() {
      if (!child.isRunning()) child = await restartKafkaNode(node, kafka)
      const answers = () => checkConnection(connection).then(() => true)
      await waitUntil(answers, { what: `the restart of kafka-${node.id}`, deadlineMs: restartDeadlineMs })
    },
    freeze: async () => child.signal('SIGSTOP'),
    resume: async () => child.signal('SIGCONT')
  }
}

/** Returns the controls of Postgres, whose processes each have a separate process group. */
function postgresServer(shared: SharedServers): FaultyServer {
  const family = async () => [shared.postgresProcess.pid, ...(await descendantsOf(shared.postgresProcess.pid))]
  return {
    name: 'postgres',
    async kill() {
      signalAll(await family(), 'SIGKILL')
      await shared.postgresProcess.exited
    },
    async stop() {
      await shared.postgresProcess.stop()
    },
    async restart() {
      if (shared.postgresProcess.isRunning()) return
      const { processes } = await startPostgres(shared.postgres)
      shared.postgresProcess = processes[0] as SupervisedProcess
    },
    async freeze(durationMs) {
      freezeFor(await family(), durationMs)
    },
    async resume() {
      signalAll(await family(), 'SIGCONT')
    }
  }
}

export async function withDatabase<Result>(url: string, use: (client: pg.Client) => Promise<Result>): Promise<Result> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 })
  client.on('error', () => {})
  try {
    await client.connect()
    return await use(client)
  } finally {
    await client.end().catch(() => {})
  }
}
