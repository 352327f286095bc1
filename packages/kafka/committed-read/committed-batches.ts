import { BatchRecords } from './batch-records.ts'
import type { LogBatch } from './log-batches.ts'

/**
 * Which batches of a fetched piece of log are committed (KIP-98, "consumer in read_committed mode").
 *
 * A `read_committed` response ends at the last stable offset, so every transaction in it has ended; it names the aborted
 * ones that overlap the piece as (producer, first offset), in any number per producer. Walking the batches in order:
 * a producer's batches are dropped from the first offset of an aborted transaction on, until its abort marker. Between
 * two transactions of a producer lies always a marker, so one set of "currently aborted" producers is enough, fed from the
 * list in order of first offsets. A marker of a producer that is not in the set is that of a committed transaction
 * or of one whose records lie before this piece.
 *
 * The client keeps one aborted range for each producer and so hands out records of the others.
 */
export interface AbortedTransaction {
  readonly producerId: bigint
  readonly firstOffset: bigint
}

export interface CommittedPiece {
  /** Some records of the first may lie before what was asked for, even all of them. */
  readonly batches: LogBatch[]
  /** Where to go on: behind the last batch seen, dropped or not. */
  readonly nextOffset: bigint
  /** Leader epoch of the last batch seen; undefined when there was none. */
  readonly lastEpoch: number | undefined
}

const transactionalBit = 1 << 4
const controlBit = 1 << 5
const abortMarker = 0

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
    if (lastOffset < fetchOffset) continue // brokers give whole batches: the first may begin, even end, before what was asked for
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

/** A control record's key: version (int16), then type (int16): 0 abort, 1 commit, others are not about transactions. */
function markerType(batch: LogBatch): number | undefined {
  if (batch.recordCount < 1) return undefined
  const key = new BatchRecords({ topic: '', partition: 0 }, batch).take()?.key
  return key && key.length >= 4 ? key.readInt16BE(2) : undefined
}
