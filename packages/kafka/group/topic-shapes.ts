import type { Cluster } from '../cluster/cluster.ts'
import { type KafkaError, toKafkaError } from '../errors.ts'

/** How topics looked at one moment: which topic has the name (it may be created again), and how many partitions it has. */
export interface TopicShape {
  readonly topicID: string
  readonly partitions: number
}

export interface TopicShapes {
  readonly found: ReadonlyMap<string, TopicShape>
  /** Topics that are missing, or not allowed to be seen. */
  readonly failed: ReadonlyMap<string, KafkaError>
}

/** Looks topics up; each one fails alone. */
export async function lookUpShapes(cluster: Cluster, topics: readonly string[]): Promise<TopicShapes> {
  const found = new Map<string, TopicShape>()
  const failed = new Map<string, KafkaError>()
  const looking = topics.map(async topic => {
    try {
      const [first, ...others] = await cluster.partitions(topic)
      if (first !== undefined) found.set(topic, { topicID: first.topicID, partitions: others.length + 1 })
    } catch (error) {
      failed.set(topic, toKafkaError(error, `looking ${topic} up`))
    }
  })
  await Promise.all(looking)
  return { found, failed }
}

/** The same text for the same shapes. */
export function describeShapes({ found }: TopicShapes): string {
  const texts = [...found].map(([topic, { topicID, partitions }]) => `${topic} ${topicID} ${partitions}`)
  return texts.toSorted().join('\n')
}
