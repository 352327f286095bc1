import {
  ConfigResourceTypes,
  createPartitionsV3,
  createTopicsV7,
  deleteGroupsV2,
  IncrementalAlterConfigOperationTypes,
  incrementalAlterConfigsV1
} from '@platformatic/kafka'
import type { KafkaConnection } from '../connection.ts'
import { checkCode, KafkaError } from '../errors.ts'
import { retryKafka } from '../retry.ts'
import { Cluster } from './cluster.ts'

/** Topic that `createTopics` creates, with its settings. */
export interface TopicToCreate {
  readonly name: string
  readonly partitions: number
  readonly replicationFactor: number
  readonly configs?: Readonly<Record<string, string>>
}

const creationTimeoutMs = 15_000
const pollMs = 20
const topicAlreadyExists = 36

/**
 * Creates the topics that do not exist yet and leaves the others unchanged. Resolves when all of
 * them can be used.
 *
 * @throws KafkaError with the broker's reason (`INVALID_REPLICATION_FACTOR`,
 * `TOPIC_AUTHORIZATION_FAILED`, …)
 */
export async function createTopics(connection: KafkaConnection, topics: readonly TopicToCreate[]): Promise<void> {
  await withCluster(connection, async cluster => {
    const wanted = topics.map(({ name, partitions, replicationFactor, configs }) => ({
      name,
      numPartitions: partitions,
      replicationFactor,
      assignments: [],
      configs: Object.entries(configs ?? {}).map(([name, value]) => ({ name, value }))
    }))
    const response = await cluster.askAny(createTopicsV7.api, wanted, creationTimeoutMs, false)
    for (const topic of response.topics) {
      if (topic.errorCode === topicAlreadyExists) continue
      checkCode(topic.errorCode, `creating topic ${topic.name}`)
    }
    for (const { name } of topics) await untilLed(cluster, name)
  })
}

/**
 * Adds partitions to a topic, up to `count`. Resolves when all of them have leaders. @throws
 * KafkaError `INVALID_PARTITIONS`
 */
export async function growTopic(connection: KafkaConnection, name: string, count: number): Promise<void> {
  await withCluster(connection, async cluster => {
    const asked = [{ name, count, assignments: null }]
    const { results } = await cluster.askAny(createPartitionsV3.api, asked, creationTimeoutMs, false)
    for (const { errorCode } of results) checkCode(errorCode, `adding partitions to ${name}`)
    await untilLed(cluster, name, count)
  })
}

/** Sets settings of a topic. @throws KafkaError `INVALID_CONFIG`, `TOPIC_AUTHORIZATION_FAILED` */
export async function configureTopic(
  connection: KafkaConnection,
  name: string,
  settings: Readonly<Record<string, string>>
): Promise<void> {
  await withCluster(connection, async cluster => {
    const configs = Object.entries(settings).map(([name, value]) => ({
      ...{ name, value, configOperation: IncrementalAlterConfigOperationTypes.SET }
    }))
    const resources = [{ resourceType: ConfigResourceTypes.TOPIC, resourceName: name, configs }]
    const { responses } = await cluster.askAny(incrementalAlterConfigsV1.api, resources, false)
    for (const { errorCode, errorMessage } of responses)
      checkCode(
        errorCode,
        `setting ${Object.keys(settings).join(', ')} of ${name}${errorMessage ? ` (${errorMessage})` : ''}`
      )
  })
}

/** Deletes a group without members, with its offsets. @throws KafkaError `NON_EMPTY_GROUP` */
export async function deleteGroup(connection: KafkaConnection, groupID: string): Promise<void> {
  await withCluster(connection, async cluster => {
    const { results } = await cluster.askCoordinator('group', groupID, deleteGroupsV2.api, [groupID])
    for (const { errorCode } of results) checkCode(errorCode, `deleting group ${groupID}`)
  })
}

/**
 * Waits until the partitions of a topic have leaders. A topic exists a moment before that, and
 * before every broker knows it.
 */
async function untilLed(cluster: Cluster, topic: string, atLeast = 1): Promise<void> {
  const deadlineMs = Date.now() + creationTimeoutMs
  const notLed = new KafkaError('LEADER_NOT_AVAILABLE', `${topic} has partitions without a leader`, { retryable: true })
  const check = async () => {
    const partitions = await cluster.partitions(topic)
    if (partitions.length < atLeast || partitions.some(({ leaderID }) => leaderID < 0)) throw notLed
  }
  await retryKafka(`waiting for leaders of ${topic}`, check, {
    initialMs: pollMs,
    jitter: 0,
    isTransient: error => error === notLed || (error.retryable && Date.now() <= deadlineMs),
    onRetry: () => cluster.forget()
  })
}

/**
 * Resolves with the number of brokers when a broker of the cluster responds. @throws KafkaError
 * BROKER_UNAVAILABLE, AUTHENTICATION_FAILED
 */
export async function checkConnection(connection: KafkaConnection): Promise<number> {
  return withCluster(connection, async cluster => {
    await cluster.refresh()
    return cluster.brokerCount
  })
}

export async function withCluster<Result>(
  connection: KafkaConnection,
  use: (cluster: Cluster) => Promise<Result>
): Promise<Result> {
  const cluster = new Cluster(connection, { requestTimeoutMs: 20_000 })
  try {
    return await use(cluster)
  } finally {
    await cluster.close()
  }
}
