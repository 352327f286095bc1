import type { Cluster } from '../cluster/cluster.ts'
import { type KafkaError, toKafkaError } from '../errors.ts'

/** Id and partition count of a topic at one moment. A recreated topic has another id. */
export interface TopicShape {
  readonly topicID: string
  readonly partitions: number
}

export interface TopicShapes {
  readonly found: ReadonlyMap<string, TopicShape>
  /** Topics that are missing or not accessible. */
  readonly failed: ReadonlyMap<string, KafkaError>
}

/** Looks up topics. A failure of one topic does not affect the others. */
export async function lookUpShapes(cluster: Cluster, topics: readonly string[]): Promise<TopicShapes> {
  const found = new Map<string, TopicShape>()
  const failed = new Map<string, KafkaError>()
  const looking = topics.map(async topic => {
    try {
      const [first, ...others] = await cluster.partitions(topic)
      if (first !== undefined) found.set(topic, { topicID: first.topicID, partitions: others.length + 1 })
    } catch (error) {
      failed.set(topic, toKafkaError(error, `looking up ${topic}`))
    }
  })
  await Promise.all(looking)
  return { found, failed }
}

/** Returns a text that is equal for equal shapes. */
export function describeShapes({ found }: TopicShapes): string {
  const texts = [...found].map(([topic, { topicID, partitions }]) => `${topic} ${topicID} ${partitions}`)
  return texts.toSorted().join('\n')
}
