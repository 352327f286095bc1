import type { CommittedOffset } from '../group/committed-offsets.ts'
import type { Incident, StoredPosition } from './position-store.ts'

/**
 * Finds the partitions of a group, also of other instances, whose stored position is missing or before the committed offset. The
 * committed offsets must have been read first.
 */
export function lostPositions(
  committed: readonly CommittedOffset[],
  stored: readonly StoredPosition[]
): (Incident & { readonly kind: 'database_behind' })[] {
  const known = new Map(stored.map(position => [`${position.topic}/${position.partition}`, position]))
  return committed.flatMap(({ topic, partition, topicID, offset }) => {
    if (topicID === undefined) return [] // committed by a tool
    const position = known.get(`${topic}/${partition}`)
    // A topic that was created again: its owner stores the new id before it commits, and an older commit says nothing.
    if (position !== undefined && position.topicID !== topicID) return []
    if (position !== undefined ? position.offset >= offset : offset === 0n) return []
    const range = position === undefined ? {} : { fromOffset: position.offset }
    return [{ kind: 'database_behind' as const, topic, partition, topicID, ...range, toOffset: offset }]
  })
}
