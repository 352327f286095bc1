import { type DeadLetterFollower, isDeadLetterTopic, type KafkaInspector } from '@orderly/kafka'
import type { DeadLetterObservation } from '../domain/dead-letters.ts'

/** Counts the waiting dead letters of all dead-letter topics that can be read. @throws KafkaError when the cluster cannot be asked */
export async function observeDeadLetters(
  inspector: KafkaInspector,
  follower: DeadLetterFollower,
  signal: AbortSignal
): Promise<DeadLetterObservation> {
  const topics = (await inspector.topics()).map(({ name }) => name).filter(isDeadLetterTopic)
  return { atMs: Date.now(), ...(await follower.count(topics, signal)) }
}
