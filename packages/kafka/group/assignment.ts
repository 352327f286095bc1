import {
  decodeConsumerProtocolAssignment,
  decodeConsumerProtocolSubscription,
  encodeConsumerProtocolAssignment,
  encodeConsumerProtocolSubscription
} from '@platformatic/kafka'

/** Who gets which partitions, and how members tell each other (the consumer protocol, so that Kafka's own tools can read it). */
export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

export interface Subscriber {
  readonly memberID: string
  readonly instanceID: string | null
  readonly topics: readonly string[]
}

/**
 * Deals the partitions of each topic out in turn, to members in the order of their instance ids: the same members always
 * get the same partitions, and none has more than one partition more than another.
 */
export function assignPartitions(
  subscribers: readonly Subscriber[],
  partitionCounts: ReadonlyMap<string, number>
): ReadonlyMap<string, TopicPartition[]> {
  const assignment = new Map<string, TopicPartition[]>(subscribers.map(({ memberID }) => [memberID, []]))
  const inOrder = subscribers.toSorted((a, b) => compare(a.instanceID ?? a.memberID, b.instanceID ?? b.memberID))
  let turn = 0
  for (const [topic, count] of [...partitionCounts].toSorted(([a], [b]) => compare(a, b))) {
    const takers = inOrder.filter(({ topics }) => topics.includes(topic))
    for (let partition = 0; partition < count && takers.length > 0; partition++, turn++) {
      const taker = takers[turn % takers.length] as Subscriber
      assignment.get(taker.memberID)?.push({ topic, partition })
    }
  }
  return assignment
}

/**
 * Encodes a member's subscription. The user data is the member's knowledge of its topics: the coordinator starts a rebalance only when
 * the leader joins again, or when another member joins again with a changed subscription.
 */
export function encodeSubscription(topics: readonly string[], knowledge: string): Buffer {
  return encodeConsumerProtocolSubscription({ version: 1, topics: [...topics], userData: Buffer.from(knowledge) })
}

export function decodeSubscribedTopics(subscription: Buffer): string[] {
  return decodeConsumerProtocolSubscription(subscription).topics
}

export function encodeAssignment(partitions: readonly TopicPartition[]): Buffer {
  const byTopic = Map.groupBy(partitions, ({ topic }) => topic)
  const assignedPartitions = [...byTopic].map(([topic, own]) => ({
    topic,
    partitions: own.map(({ partition }) => partition)
  }))
  return encodeConsumerProtocolAssignment({ version: 1, assignedPartitions })
}

export function decodeAssignment(assignment: Buffer): TopicPartition[] {
  if (assignment.length === 0) return []
  return decodeConsumerProtocolAssignment(assignment).assignedPartitions.flatMap(({ topic, partitions }) =>
    partitions.map(partition => ({ topic, partition }))
  )
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
