import {
  decodeConsumerProtocolAssignment,
  decodeConsumerProtocolSubscription,
  encodeConsumerProtocolAssignment,
  encodeConsumerProtocolSubscription
} from '@platformatic/kafka'
import type { TopicPartition } from '../types.ts'

export interface Subscriber {
  readonly memberID: string
  readonly instanceID: string | null
  readonly topics: readonly string[]
}

/**
 * Assigns the partitions of each topic to members round-robin, in the order of their instance ids.
 * The same members always get the same partitions, and the counts differ by at most one.
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
 * Encodes a member's subscription. The user data describes the topics as the member knows them: the
 * coordinator rebalances only when the leader rejoins, or when another member rejoins with a
 * changed subscription.
 */
export function encodeSubscription(topics: readonly string[], knowledge: string): Buffer {
  return encodeConsumerProtocolSubscription({ version: 1, topics: [...topics], userData: Buffer.from(knowledge) })
}

export function decodeSubscribedTopics(subscription: Buffer): string[] {
  return decodeConsumerProtocolSubscription(subscription).topics
}

/**
 * Encodes the partitions of a member, and in the user data the topics in which the group had no
 * offset when the leader assigned them. All members of a generation thus learn the same.
 */
export function encodeAssignment(partitions: readonly TopicPartition[], newTopics: readonly string[] = []): Buffer {
  const byTopic = Map.groupBy(partitions, ({ topic }) => topic)
  const assignedPartitions = [...byTopic].map(([topic, own]) => ({
    topic,
    partitions: own.map(({ partition }) => partition)
  }))
  const userData = newTopics.length === 0 ? {} : { userData: Buffer.from(`${newTopicsPrefix}${newTopics.join(' ')}`) }
  return encodeConsumerProtocolAssignment({ version: 1, assignedPartitions, ...userData })
}

export function decodeAssignment(assignment: Buffer): TopicPartition[] {
  if (assignment.length === 0) return []
  return decodeConsumerProtocolAssignment(assignment).assignedPartitions.flatMap(({ topic, partitions }) =>
    partitions.map(partition => ({ topic, partition }))
  )
}

/** Returns the topics in which the group had no offset when the leader assigned the partitions. */
export function decodeNewTopics(assignment: Buffer): string[] {
  if (assignment.length === 0) return []
  const text = decodeConsumerProtocolAssignment(assignment).userData?.toString() ?? ''
  return text.startsWith(newTopicsPrefix) ? text.slice(newTopicsPrefix.length).split(' ') : []
}

/** Names of topics contain no spaces. */
const newTopicsPrefix = 'new-topics='

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
