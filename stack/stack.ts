import { topicConfig, topicNames } from '@orderly/contracts'
import { createTopics, type KafkaConnection, KafkaError } from '@orderly/kafka'
import { provisionedTopics } from '../deploy/kafka/principals.ts'
import { externalServers, kafkaConnectionOf, type ServerName } from './external-servers.ts'
import { startExtra } from './extra-parts.ts'
import type { ExtraName, ExtraPort, Extras } from './extras.ts'
import type { RunningPart } from './parts/part.ts'
import { startService } from './parts/service.ts'
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

  const running = services.map(async service => {
    await topics
    const env = { ...environment, ...serverVariables(await servers), ...options.ownEnvironment?.(service.name) }
    return startService({ supervisor, service, port: ports[service.name], env, watch })
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
        await topics
        const env = { ...environment, ...serverVariables(await servers), ...options.ownEnvironment?.(name) }
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
    ...serviceSteps,
    ...extraSteps
  ])

  const { kafka, postgres, registry } = await servers
  const ours = [kafka, postgres, registry].filter(part => part !== undefined)
  const parts = [...ours, ...(await Promise.all(running)), ...beside]
  return { parts, externals, orderURL: parts.find(part => part.name === 'order')?.address ?? '' }
}

function serverVariables({ kafka, postgres, registry }: RunningServers): NodeJS.ProcessEnv {
  return {
    ...(kafka && { KAFKA_BROKERS: kafka.brokers.join(',') }),
    ...(postgres && { DATABASE_URL: postgres.databaseURL }),
    ...(registry && { SCHEMA_REGISTRY_URL: registry.address })
  }
}

function localConnection(brokers: readonly string[]): KafkaConnection {
  return { brokers, clientID: 'orderly-stack' }
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
