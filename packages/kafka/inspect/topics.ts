import { ConfigResourceTypes, describeConfigsV4, metadataV12 } from '@platformatic/kafka'
import type { Cluster } from '../cluster/cluster.ts'
import { request } from '../cluster/requests.ts'
import { checkCode } from '../errors.ts'

/** A topic and its partitions. */
export interface TopicDescription {
  readonly name: string
  readonly topicID: string
  /** True for Kafka's own topics, such as `__consumer_offsets`. */
  readonly isInternal: boolean
  /** Partitions in order. */
  readonly partitions: readonly PartitionDescription[]
}

/** A partition with its leader and replicas. */
export interface PartitionDescription {
  readonly partition: number
  /** Broker id of the leader; -1 while there is none. */
  readonly leaderID: number
  readonly replicaIDs: readonly number[]
  readonly inSyncReplicaIDs: readonly number[]
}

/** Returns all visible topics, or the existing ones of these names, sorted by name. */
export async function describeTopics(cluster: Cluster, names?: readonly string[]): Promise<TopicDescription[]> {
  const response = await cluster.askAny(metadataV12.api, names ? [...names] : null, false, false)
  const described: TopicDescription[] = []
  for (const { name, topicId, isInternal, errorCode, partitions } of response.topics) {
    if (name === null || name === undefined || errorCode === unknownTopic) continue
    checkCode(errorCode, `describing topic ${name}`)
    const inOrder = partitions.toSorted((a, b) => a.partitionIndex - b.partitionIndex)
    described.push({
      ...{ name, topicID: topicId, isInternal },
      partitions: inOrder.map(({ partitionIndex, leaderId, replicaNodes, isrNodes }) => ({
        partition: partitionIndex,
        leaderID: leaderId,
        replicaIDs: replicaNodes,
        inSyncReplicaIDs: isrNodes
      }))
    })
  }
  return described.toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

/** A setting of a topic. */
export interface TopicConfig {
  readonly name: string
  readonly value: string
  /** True if set for this topic rather than inherited from the broker. */
  readonly isOwn: boolean
}

const unknownTopic = 3
const ownSource = 1

/**
 * Returns the configuration of each topic, by topic and then by name. Topics that do not exist are
 * omitted.
 */
export async function describeTopicConfigs(
  cluster: Cluster,
  topics: readonly string[],
  names?: readonly string[]
): Promise<ReadonlyMap<string, ReadonlyMap<string, TopicConfig>>> {
  if (topics.length === 0) return new Map()
  const configurationKeys = names && [...names]
  const resources = topics.map(resourceName => ({
    ...{ resourceType: ConfigResourceTypes.TOPIC, resourceName, configurationKeys }
  }))
  const { results } = await cluster.askAny(describeConfigsV4.api, resources, false, false)
  const found = results.filter(({ errorCode }) => errorCode !== unknownTopic)
  return new Map(
    found.map(({ resourceName, errorCode, configs }) => {
      checkCode(errorCode, `reading the configuration of ${resourceName}`)
      const values = configs.map(({ name, value, configSource }): [string, TopicConfig] => [
        name,
        { name, value: value ?? '', isOwn: configSource === ownSource }
      ])
      return [resourceName, new Map(values)]
    })
  )
}

/**
 * Returns settings of each broker, by broker and then by name. Each broker is queried for its own.
 */
export async function describeBrokerConfigs(
  cluster: Cluster,
  names: readonly string[]
): Promise<ReadonlyMap<number, ReadonlyMap<string, string>>> {
  await cluster.refresh()
  const asking = cluster.brokerIDs.map(async brokerID => {
    const resource = { resourceType: ConfigResourceTypes.BROKER, resourceName: String(brokerID) }
    const connection = await cluster.connectionTo(brokerID)
    const resources = [{ ...resource, configurationKeys: [...names] }]
    const { results } = await request(connection, describeConfigsV4.api, resources, false, false)
    for (const { errorCode } of results) checkCode(errorCode, `reading the configuration of broker ${brokerID}`)
    const values = results.flatMap(({ configs }) => configs.map(({ name, value }) => [name, value ?? ''] as const))
    return [brokerID, new Map(values)] as const
  })
  return new Map(await Promise.all(asking))
}
