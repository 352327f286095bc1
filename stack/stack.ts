import { topicConfig, topicNames } from '@orderly/contracts'
import { createTopics, type KafkaConnection, KafkaError } from '@orderly/kafka'
import { type DatabaseRole, isPostgresServerError, ownerRole } from '@orderly/postgres'
import { ownerDatabaseURL } from '@orderly/service-kit'
import { provisionedTopics } from '../deploy/kafka/principals.ts'
import { databaseSchemas, migrateAll } from '../deploy/postgres/schemas.ts'
import { externalServers, kafkaConnectionOf, type ServerName } from './external-servers.ts'
import { startExtra } from './extra-parts.ts'
import type { ExtraName, ExtraPort, Extras } from './extras.ts'
import type { RunningPart } from './parts/part.ts'
import { startService } from './parts/service.ts'
import { type KeepRunningOptions, keepRunning } from './processes/keep-running.ts'
import { Refusal } from './refusal.ts'
import { planServers, type RunningServers, type ServerPorts, type ServersOptions } from './servers.ts'
import { type ServiceName, services } from './services.ts'
import type { ShowSteps, Step } from './terminal/steps.ts'

export interface StackOptions extends Omit<ServersOptions, 'except'> {
  readonly ports: ServerPorts & Record<ServiceName, number> & Record<ExtraPort, number>
  readonly environment: NodeJS.ProcessEnv
  readonly partitions: number
  readonly watch?: boolean
  readonly extras?: Extras
  /** What one service, or extra, has besides, by its name. */
  readonly ownEnvironment?: (name: ServiceName | ExtraName) => NodeJS.ProcessEnv
  /** Restarts services that end; without it they stay down. */
  readonly keepRunning?: Pick<KeepRunningOptions, 'report' | 'signal'>
  readonly show: ShowSteps
}

/** Everything, in the order in which it is listed: what we run, and the addresses of what others run. */
export interface RunningStack {
  readonly parts: readonly RunningPart[]
  readonly externals: ReadonlyMap<ServerName, string>
  readonly orderURL: string
}

/** Starts the servers at once, creates the topics, then starts the services at once. What it started, its supervisor stops. */
export async function startStack(options: StackOptions): Promise<RunningStack> {
  const { supervisor, environment, ports, partitions, watch = false, extras = new Set() } = options
  const externals = externalServers(environment)
  const { steps, servers } = planServers({
    ...options,
    except: new Set(externals.keys()),
    kafkaMetricsPort: extras.has('monitoring') ? ports.kafkaMetrics : undefined
  })

  const topics = servers.then(({ kafka }) => {
    if (kafka === undefined) return createTopicsElsewhere(kafkaConnectionOf(environment), partitions)
    return createMissingTopics(localConnection(kafka.brokers), {
      partitions,
      replicationFactor: kafka.replicationFactor
    })
  })
  topics.catch(() => {})

  const migrations = servers.then(({ postgres }) =>
    postgres === undefined ? migrateElsewhere(environment) : migrateDatabase(postgres.access.urlOf(ownerRole))
  )
  migrations.catch(() => {})

  const running = services.map(async service => {
    await Promise.all([topics, migrations])
    const env = {
      ...environment,
      ...serverVariables(await servers, `orderly_${service.name}`),
      ...options.ownEnvironment?.(service.name)
    }
    const start = () => startService({ supervisor, service, port: ports[service.name], env, watch })
    const part = await start()
    return options.keepRunning === undefined ? part : keepRunning(part, { start, ...options.keepRunning })
  })
  for (const service of running) service.catch(() => {})

  const serviceSteps = services.map(
    ({ name }, index): Step => ({ title: name, run: async () => (await running[index])?.address })
  )
  const beside: RunningPart[] = []
  const extraSteps = [...extras].map(
    (name): Step => ({
      title: name,
      async run(say) {
        await Promise.all([topics, migrations])
        const role = databaseRoleOf[name]
        const env = { ...environment, ...serverVariables(await servers, role), ...options.ownEnvironment?.(name) }
        const brokerMetrics = externals.has('kafka') ? undefined : ports.kafkaMetrics
        const connectMetrics = extras.has('connect') && extras.has('monitoring') ? ports.connectMetrics : undefined
        const started = await startExtra[name]({ ...options, brokerMetrics, connectMetrics, environment: env, say })
        beside.push(...started)
        return started.at(-1)?.address
      }
    })
  )
  await options.show([
    ...steps,
    { title: 'topics', run: async () => (await topics).join(', ') },
    { title: 'database schemas', run: () => migrations },
    ...serviceSteps,
    ...extraSteps
  ])

  const { kafka, postgres, registry } = await servers
  const ours = [kafka, postgres, registry].filter(part => part !== undefined)
  const parts = [...ours, ...(await Promise.all(running)), ...beside]
  return { parts, externals, orderURL: parts.find(part => part.name === 'order')?.address ?? '' }
}

/** The database role of each extra that uses the database. */
const databaseRoleOf: Readonly<Record<ExtraName, DatabaseRole | undefined>> = {
  connect: 'orderly_connect',
  monitoring: undefined
}

/** @param role the database role of the program; undefined for one that uses no database */
function serverVariables(
  { kafka, postgres, registry }: RunningServers,
  role: DatabaseRole | undefined
): NodeJS.ProcessEnv {
  return {
    ...(kafka && { KAFKA_BROKERS: kafka.brokers.join(',') }),
    ...(postgres && role && { DATABASE_URL: postgres.access.urlOf(role) }),
    ...(registry && { SCHEMA_REGISTRY_URL: registry.address })
  }
}

function localConnection(brokers: readonly string[]): KafkaConnection {
  return { brokers, clientID: 'orderly-stack' }
}

/** @returns the names of the schemas */
async function migrateDatabase(ownerURL: string): Promise<string> {
  await migrateAll(ownerURL, { logger: { info: () => {}, warn: () => {} } })
  return databaseSchemas.map(({ schema }) => schema).join(', ')
}

/** Migrates a database of others, where its owner's address is known. @throws Refusal when it is not there or does not let us */
async function migrateElsewhere(environment: NodeJS.ProcessEnv): Promise<string> {
  if (environment.ORDERLY_PROFILE === 'prod' && !environment.DATABASE_OWNER_URL) return 'left to `orderly migrate`'
  try {
    return await migrateDatabase(ownerDatabaseURL(environment))
  } catch (error) {
    const { message } = error as Error
    throw new Refusal(
      isPostgresServerError(error)
        ? `The database refuses its migrations (${message}): set DATABASE_OWNER_URL to its address for a role that may create schemas.`
        : `The database cannot be migrated (${message}): see that it is there and that DATABASE_URL is right.`
    )
  }
}

/** On the Kafka of others. @throws Refusal when it is not there or does not let us */
async function createTopicsElsewhere(connection: KafkaConnection, partitions: number): Promise<string[]> {
  try {
    return await createMissingTopics(connection, { partitions, replicationFactor: -1 })
  } catch (error) {
    if (!(error instanceof KafkaError)) throw error
    throw new Refusal(
      `${error.message}: see that Kafka is there, that KAFKA_BROKERS is right, and what this user may do.`
    )
  }
}

/** A replication factor of -1 leaves it to the cluster. */
export async function createMissingTopics(
  connection: KafkaConnection,
  shape: { partitions: number; replicationFactor: number }
): Promise<string[]> {
  await createTopics(
    connection,
    provisionedTopics.map(name => ({ name, ...shape, configs: topicConfig(name) }))
  )
  return Object.values(topicNames)
}

/** @throws Refusal unless it is a number of partitions. */
export function partitionsOf(environment: NodeJS.ProcessEnv): number {
  const text = environment.ORDERLY_PARTITIONS?.trim() || '4'
  const partitions = Number(text)
  if (Number.isInteger(partitions) && partitions > 0 && partitions <= 1000) return partitions
  throw new Refusal(`ORDERLY_PARTITIONS is "${text}": set it to the partitions of every new topic, from 1 to 1000.`)
}
