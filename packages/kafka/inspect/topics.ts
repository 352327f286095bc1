import { ConfigResourceTypes, describeConfigsV4, metadataV12 } from '@platformatic/kafka'
import type { Cluster } from '../cluster/cluster.ts'
import { checkCode } from '../errors.ts'

export interface TopicDescription {
  readonly name: string
  readonly topicID: string
  /** One of Kafka's own, such as `__consumer_offsets`. */
  readonly isInternal: boolean
  /** In their order. */
  readonly partitions: readonly PartitionDescription[]
}

export interface PartitionDescription {
  readonly partition: number
  /** -1 while it has none. */
  readonly leaderID: number
  readonly replicaIDs: readonly number[]
  readonly inSyncReplicaIDs: readonly number[]
}

/** All topics that may be seen, or those of these names that exist, by name. */
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

export interface TopicConfig {
  readonly name: string
  readonly value: string
  /** Set for this topic, rather than taken from the broker. */
  readonly isOwn: boolean
}

const unknownTopic = 3
const ownSource = 1

/** What each topic is configured with, by topic and then by name. @throws KafkaError also when a topic does not exist */
export async function describeTopicConfigs(
  cluster: Cluster,
  topics: readonly string[]
): Promise<ReadonlyMap<string, ReadonlyMap<string, TopicConfig>>> {
  const resources = topics.map(name => ({ resourceType: ConfigResourceTypes.TOPIC, resourceName: name }))
  const response = await cluster.askAny(describeConfigsV4.api, resources, false, false)
  return new Map(
    response.results.map(({ resourceName, errorCode, configs }) => {
      checkCode(errorCode, `reading the configuration of ${resourceName}`)
      const values = configs.map(({ name, value, configSource }): [string, TopicConfig] => [
        name,
        { name, value: value ?? '', isOwn: configSource === ownSource }
      ])
      return [resourceName, new Map(values)]
    })
  )
}
