import type { FetchedHeaders } from './fetched-headers.ts'
import { eachRecord, type LogBatch } from './log-batches.ts'

/**
 * Which records of a fetched piece of log are committed (KIP-98, "consumer in read_committed mode").
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
export interface FetchedRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  readonly timestampMs: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: FetchedHeaders
}

type Place = Pick<FetchedRecord, 'topic' | 'partition'>

export interface AbortedTransaction {
  readonly producerId: bigint
  readonly firstOffset: bigint
}

export interface CommittedPiece {
  readonly records: FetchedRecord[]
  /** Where to go on: behind the last batch seen, dropped or not. */
  readonly nextOffset: bigint
}

const transactionalBit = 1 << 4
const controlBit = 1 << 5
const logAppendTimeBit = 1 << 3
const abortMarker = 0

export function committedRecords(
  place: Place,
  batches: readonly LogBatch[],
  abortedTransactions: readonly AbortedTransaction[] | null,
  fetchOffset: bigint
): CommittedPiece {
  const aborted = (abortedTransactions ?? []).toSorted((a, b) => (a.firstOffset < b.firstOffset ? -1 : 1))
  const abortedProducers = new Set<bigint>()
  const records: FetchedRecord[] = []
  let nextAborted = 0
  let nextOffset = fetchOffset
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
      appendRecords(records, place, batch, fetchOffset)
    }
    nextOffset = lastOffset + 1n
  }
  return { records, nextOffset }
}

function appendRecords(
  records: FetchedRecord[],
  { topic, partition }: Place,
  batch: LogBatch,
  fetchOffset: bigint
): void {
  const { firstOffset, firstTimestampMs, maxTimestampMs, attributes } = batch
  const hasAppendTime = (attributes & logAppendTimeBit) !== 0
  eachRecord(batch, (offsetDelta, timestampDeltaMs, key, value, headers) => {
    const offset = firstOffset + BigInt(offsetDelta)
    if (offset < fetchOffset) return
    const timestampMs = hasAppendTime ? maxTimestampMs : firstTimestampMs + timestampDeltaMs
    records.push({ topic, partition, offset, timestampMs, key, value, headers })
  })
}

/** A control record's key: version (int16), then type (int16): 0 abort, 1 commit, others are not about transactions. */
function markerType(batch: LogBatch): number | undefined {
  let type: number | undefined
  eachRecord(batch, (_offsetDelta, _timestampDeltaMs, key) => {
    if (key !== null && key.length >= 4) type ??= key.readInt16BE(2)
  })
  return type
}
