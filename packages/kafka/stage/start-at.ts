import type { TopicPartition } from '../types.ts'

/**
 * Starting point of a group without offsets.
 *
 * - `earliest`: at the beginning of the topic.
 * - `latest`: at its end. Only a group without any offset in the topic begins there; the end is
 *   committed immediately. A partition that is added later is read from its beginning, and so is a
 *   topic that is recreated, because their records are not processed yet.
 * - `none`: not at all. The stage ends with `NO_COMMITTED_OFFSET` if a partition has no offset,
 *   unless it was added to a topic in which the group has offsets.
 */
export type StartAt = 'earliest' | 'latest' | 'none'

export const startAts: readonly StartAt[] = ['earliest', 'latest', 'none']

/** Returns where a partition begins in which the group has no offset. */
export function policyFor(
  own: TopicPartition,
  startAt: StartAt,
  newTopics: readonly string[],
  ofGroup: readonly TopicPartition[]
): StartAt {
  if (startAt === 'latest') return newTopics.includes(own.topic) ? 'latest' : 'earliest'
  return startAt === 'none' && isAdded(own, ofGroup) ? 'earliest' : startAt
}

/**
 * Returns true for a partition that was added to a topic of the group: positions are stored for all
 * partitions below some lower number, and for no others. While the instances of a new group start
 * one by one, the stored partitions have gaps.
 */
export function isAdded({ topic, partition }: TopicPartition, stored: readonly TopicPartition[]): boolean {
  const known = stored.filter(own => own.topic === topic).map(own => own.partition)
  return known.length > 0 && known.length <= partition && known.every(own => own < known.length)
}
