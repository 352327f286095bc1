import type { CommittedOffset } from '../consumer-group/committed-offsets.ts'
import { partitionKey } from '../types.ts'
import type { Incident, StoredPosition } from './position-store.ts'

/**
 * Returns the partitions of a group, including those of other instances, whose stored position is
 * missing or before the committed offset. The caller must read the committed offsets before the
 * stored positions.
 */
export function lostPositions(
  committed: readonly CommittedOffset[],
  stored: readonly StoredPosition[]
): (Incident & { readonly kind: 'database_behind' })[] {
  const known = new Map(stored.map(position => [partitionKey(position), position]))
  return committed.flatMap(({ topic, partition, topicID, offset }) => {
    if (topicID === undefined) return [] // committed by an external tool
    const position = known.get(partitionKey({ topic, partition }))
    // The topic was recreated. Its owner stores the new id before it commits, so an older commit
    // proves no loss.
    if (position !== undefined && position.topicID !== topicID) return []
    if (position !== undefined ? position.offset >= offset : offset === 0n) return []
    const range = position === undefined ? {} : { fromOffset: position.offset }
    return [{ kind: 'database_behind' as const, topic, partition, topicID, ...range, toOffset: offset }]
  })
}
