import { type DeadLetterFollower, isDeadLetterTopic, type KafkaInspector } from '@orderly/kafka'
import type { DeadLetterObservation } from '../domain/dead-letters.ts'

/**
 * Counts the pending dead letters of all readable dead-letter topics.
 * @throws KafkaError if the topics cannot be listed
 */
export async function observeDeadLetters(
  inspector: KafkaInspector,
  follower: DeadLetterFollower,
  signal: AbortSignal
): Promise<DeadLetterObservation> {
  const topics = (await inspector.topics()).map(({ name }) => name).filter(isDeadLetterTopic)
  return { atMs: Date.now(), ...(await follower.count(topics, signal)) }
}
