import { topicConfig, topicNames } from '@orderly/contracts'
import { createInspector, createTopics, type KafkaConnection, KafkaError } from '@orderly/kafka'
import { type DatabaseRole, isPostgresServerError, ownerRole } from '@orderly/postgres'
import { apiNames, ownerDatabaseURL } from '@orderly/service-kit'
import { provisionedTopics } from '../deploy/kafka/principals.ts'
import { databaseSchemas, migrateAll } from '../deploy/postgres/schemas.ts'
import type { RunningComponent } from './components/component.ts'
import { startService } from './components/service.ts'
import { externalServers, kafkaConnectionOf, type ServerName } from './external-servers.ts'
import type { ExtraName, ExtraPort, Extras } from './extras.ts'
import { type KeepRunningOptions, keepRunning } from './processes/keep-running.ts'
import { loopback } from './processes/ports.ts'
import { planServers, type RunningServers, type ServerPorts, type ServersOptions } from './servers.ts'
import { type ServiceName, services } from './services.ts'
import { startExtra } from './start-extra.ts'
import type { ShowSteps, Step } from './terminal/steps.ts'
import { UserError } from './user-error.ts'

export interface StackOptions extends Omit<ServersOptions, 'except'> {
  readonly ports: ServerPorts & Record<ServiceName, number> & Record<ExtraPort, number>
  readonly environment: NodeJS.ProcessEnv
  readonly partitions: number
  readonly watch?: boolean
  readonly extras?: Extras
  /** Returns additional variables of one service or extra. */
  readonly ownEnvironment?: (name: ServiceName | ExtraName) => NodeJS.ProcessEnv
  /** Restarts services that exit; without it they stay down. */
  readonly keepRunning?: Pick<KeepRunningOptions, 'report' | 'signal'>
  readonly show: ShowSteps
}

/** All components in display order, and the addresses of external servers. */
export interface RunningStack {
  readonly components: readonly RunningComponent[]
  readonly externals: ReadonlyMap<ServerName, string>
  readonly orderURL: string
  /** Settings without effect on existing data, with a remedy. */
  readonly notices: readonly string[]
}

/**
 * Starts the servers concurrently, creates the topics, then starts the services concurrently. The
 * supervisor stops them all.
 */
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
  const notices = Promise.all([servers, topics]).then(async ([{ kafka }]) => {
    if (!environment.ORDERLY_PARTITIONS?.trim()) return []
    const connection = kafka === undefined ? kafkaConnectionOf(environment) : localConnection(kafka.brokers)
    return partitionNotices(partitions, await countPartitions(connection))
  })
  notices.catch(() => {})

  const migrations = servers.then(({ postgres }) =>
    postgres === undefined ? migrateElsewhere(environment) : migrateDatabase(postgres.access.urlOf(ownerRole))
  )
  migrations.catch(() => {})

  const running = services.map(async service => {
    await Promise.all([topics, migrations])
    const env = {
      ...apiAddresses(ports),
      ...environment,
      ...serverVariables(await servers, `orderly_${service.name}`),
      ...options.ownEnvironment?.(service.name)
    }
    const start = () => startService({ supervisor, service, port: ports[service.name], env, watch })
    const component = await start()
    return options.keepRunning === undefined ? component : keepRunning(component, { start, ...options.keepRunning })
  })
  for (const service of running) service.catch(() => {})

  const serviceSteps = services.map(
    ({ name }, index): Step => ({ title: name, run: async () => (await running[index])?.address })
  )
  const beside: RunningComponent[] = []
  const extraSteps = [...extras].map(
    (name): Step => ({
      title: name,
      async run(say) {
        await Promise.all([topics, migrations])
        const role = databaseRoleOf[name]
        const env = {
          ...apiAddresses(ports),
          ...environment,
          ...serverVariables(await servers, role),
          ...options.ownEnvironment?.(name)
        }
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
  const ours = [kafka, postgres, registry].filter(component => component !== undefined)
  const components = [...ours, ...(await Promise.all(running)), ...beside]
  const orderURL = components.find(component => component.name === 'order')?.address ?? ''
  return { components, externals, orderURL, notices: await notices }
}

/** Addresses that the API page of each service links to. */
function apiAddresses(ports: StackOptions['ports']): NodeJS.ProcessEnv {
  const entries = apiNames.map(name => `${name}=http://${loopback}:${ports[name]}`)
  return { HTTP_API_ADDRESSES: entries.join(',') }
}

/** Database role of each extra that uses the database. */
const databaseRoleOf: Readonly<Record<ExtraName, DatabaseRole | undefined>> = {
  connect: 'orderly_connect',
  monitoring: undefined
}

/**
 * Returns the addresses of the servers as environment variables.
 * @param role database role of the program; undefined if it uses no database
 */
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

/** Migrates all schemas. @returns the names of the schemas */
async function migrateDatabase(ownerURL: string): Promise<string> {
  await migrateAll(ownerURL, { logger: { info: () => {}, warn: () => {} } })
  return databaseSchemas.map(({ schema }) => schema).join(', ')
}

/**
 * Migrates an external database if its owner's address is known.
 * @throws UserError if it is unreachable or refuses access
 */
async function migrateElsewhere(environment: NodeJS.ProcessEnv): Promise<string> {
  if (environment.ORDERLY_PROFILE === 'prod' && !environment.DATABASE_OWNER_URL) return 'left to `orderly migrate`'
  try {
    return await migrateDatabase(ownerDatabaseURL(environment))
  } catch (error) {
    const { message } = error as Error
    throw new UserError(
      isPostgresServerError(error)
        ? `The database refuses its migrations (${message}): set DATABASE_OWNER_URL to its address with a role that may create schemas.`
        : `The database cannot be migrated (${message}): check that it is reachable and that DATABASE_URL is correct.`
    )
  }
}

/**
 * Creates the topics on an external Kafka.
 * @throws UserError if it is unreachable or refuses access
 */
async function createTopicsElsewhere(connection: KafkaConnection, partitions: number): Promise<string[]> {
  try {
    return await createMissingTopics(connection, { partitions, replicationFactor: -1 })
  } catch (error) {
    if (!(error instanceof KafkaError)) throw error
    throw new UserError(
      `${error.message}: check that Kafka is reachable, that KAFKA_BROKERS is correct, and that the user has the required grants.`
    )
  }
}

/** Creates missing topics. A replication factor of -1 selects the cluster's default. */
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

/** Returns the number of partitions of new topics. @throws UserError if the setting is invalid */
export function partitionsOf(environment: NodeJS.ProcessEnv): number {
  const text = environment.ORDERLY_PARTITIONS?.trim() || '4'
  const partitions = Number(text)
  if (Number.isInteger(partitions) && partitions > 0 && partitions <= 1000) return partitions
  throw new UserError(
    `ORDERLY_PARTITIONS is "${text}": set it to the number of partitions of new topics, from 1 to 1000.`
  )
}

/** Returns the number of partitions of each topic with events. */
async function countPartitions(connection: KafkaConnection): Promise<Map<string, number>> {
  const inspector = createInspector(connection)
  try {
    const topics = await inspector.topics(Object.values(topicNames))
    return new Map(topics.map(({ name, partitions }) => [name, partitions.length]))
  } finally {
    await inspector.close()
  }
}

/**
 * Returns a notice if existing topics have another number of partitions than the setting asks for.
 * The start does not grow them: only `orderly topics grow` keeps the order of each user's records.
 */
export function partitionNotices(wanted: number, counts: ReadonlyMap<string, number>): string[] {
  const others = [...counts].filter(([, count]) => count !== wanted)
  if (others.length === 0) return []
  const found = others.map(([name, count]) => `${name} has ${count}`).join(', ')
  const smaller = others.filter(([, count]) => count < wanted).map(([name]) => name)
  const grow = smaller.map(name => `  npm run orderly -- topics grow ${name} --partitions ${wanted}`)
  const remedy =
    grow.length === 0
      ? 'Partitions cannot be removed; `npm run reset` deletes the data of `npm start`.'
      : ['While the stack runs, grow them with:', ...grow].join('\n')
  return [`ORDERLY_PARTITIONS=${wanted} has no effect on topics that exist (${found} partitions). ${remedy}`]
}
