import { BatchRecords } from './batch-records.ts'
import type { LogBatch } from './log-batches.ts'

export interface AbortedTransaction {
  readonly producerId: bigint
  readonly firstOffset: bigint
}

export interface CommittedPiece {
  /** Committed batches. Some or all records of the first may precede the requested offset. */
  readonly batches: LogBatch[]
  /** Next offset to fetch: after the last batch of the piece, dropped or not. */
  readonly nextOffset: bigint
  /** Leader epoch of the last batch of the piece; undefined if it has none. */
  readonly lastEpoch: number | undefined
}

const transactionalBit = 1 << 4
const controlBit = 1 << 5
const abortMarker = 0

/**
 * Returns the committed batches of a fetched piece of log (KIP-98, "consumer in read_committed
 * mode").
 *
 * A `read_committed` response ends at the last stable offset, so every transaction in it has ended.
 * The response lists the aborted transactions that overlap the piece as (producer id, first
 * offset), any number per producer. The batches are processed in order: batches of a producer are
 * dropped from the first offset of an aborted transaction until its abort marker. Two transactions
 * of a producer always have a marker between them. One set of currently aborted producers is
 * therefore enough, filled from the list in order of first offsets. A marker of a producer outside
 * the set belongs to a committed transaction, or to one whose records precede this piece.
 *
 * The client library keeps one aborted range per producer, and therefore returns records of the
 * others.
 */
export function committedBatches(
  batches: readonly LogBatch[],
  abortedTransactions: readonly AbortedTransaction[] | null,
  fetchOffset: bigint
): CommittedPiece {
  const aborted = (abortedTransactions ?? []).toSorted((a, b) => (a.firstOffset < b.firstOffset ? -1 : 1))
  const abortedProducers = new Set<bigint>()
  const committed: LogBatch[] = []
  let nextAborted = 0
  let nextOffset = fetchOffset
  let lastEpoch: number | undefined
  for (const batch of batches) {
    const lastOffset = batch.firstOffset + BigInt(batch.lastOffsetDelta)
    if (lastOffset < fetchOffset) continue // brokers return whole batches, even before the offset
    for (
      let head = aborted[nextAborted];
      head !== undefined && head.firstOffset <= lastOffset;
      head = aborted[++nextAborted]
    ) {
      abortedProducers.add(head.producerId)
    }
    if ((batch.attributes & controlBit) !== 0) {
      if (markerType(batch) === abortMarker) abortedProducers.delete(batch.producerId)
    } else if ((batch.attributes & transactionalBit) === 0 || !abortedProducers.has(batch.producerId)) {
      committed.push(batch)
    }
    nextOffset = lastOffset + 1n
    lastEpoch = batch.leaderEpoch
  }
  return { batches: committed, nextOffset, lastEpoch }
}

/**
 * Returns the type of a control record from its key: version (int16), then type (int16). 0 is
 * abort, 1 is commit; other types do not concern transactions.
 */
function markerType(batch: LogBatch): number | undefined {
  if (batch.recordCount < 1) return undefined
  const key = new BatchRecords({ topic: '', partition: 0 }, batch).take()?.key
  return key && key.length >= 4 ? key.readInt16BE(2) : undefined
}
