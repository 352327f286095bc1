import type { Logger } from '../records.ts'
import { BatchRecords } from './batch-records.ts'
import { committedBatches } from './committed-batches.ts'
import type { FetchedPiece } from './fetch-committed.ts'
import type { FetchedRecord } from './fetched-record.ts'
import type { LogBatch } from './log-batches.ts'
import { defaultReadLimits, type ReadLimits } from './read-limits.ts'

/** Position of a partition to fetch. */
export interface PartitionPosition {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  /** Leader epoch of the record before `offset`; -1 or absent when it is unknown. */
  readonly leaderEpoch?: number
  /**
   * Id of the topic that the offset belongs to. Absent: the topic that has the name at the first
   * fetch.
   */
  readonly topicID?: string | undefined
}

/** Position of a partition up to which records have been taken. */
export interface PartitionProgress extends PartitionPosition {
  /**
   * Time (of this machine's clock) before which everything written to the partition has been taken;
   * absent while unknown.
   */
  readonly completeUntilMs?: number
}

/**
 * Offsets of records that were removed from a log (by retention, or by DeleteRecords) before they
 * were read.
 */
export interface SkippedRange {
  readonly topic: string
  readonly partition: number
  readonly topicID: string | undefined
  readonly from: bigint
  /** Offset at which reading continues. */
  readonly to: bigint
}

/** Buffer of a partition, and the positions around it. */
export interface PartitionState {
  readonly topic: string
  readonly partition: number
  /** Offset of the next fetch. */
  fetchOffset: bigint
  /** Leader epoch of the batch before `fetchOffset`. */
  fetchEpoch: number
  /** Offset of the next record to take. */
  takeOffset: bigint
  takeEpoch: number
  /**
   * Batches with records that were not taken. Those before `nextBatch` are empty; they are removed
   * in bulk.
   */
  batches: BatchRecords[]
  nextBatch: number
  /** Number of records pending in these batches, and the bytes of the batches. */
  waiting: number
  bytes: number
  skips: readonly SkippedRange[]
  fetching: boolean
  /** Number of times that the batch at the fetch offset was damaged. */
  damagedReads: number
  /** True while the partition is not read: until a pause is over, or until its leader is known. */
  held: boolean
  /**
   * Id of the topic that is read; a topic recreated under the same name has other records at these
   * offsets.
   */
  topicID: string | undefined
  /**
   * End of the leader's log at a time: records written before `atMs` precede `offset`. It is not
   * replaced until all records before `offset` have been taken.
   */
  end: { readonly offset: bigint; readonly atMs: number } | undefined
  completeUntilMs: number | undefined
  /** End of what can be read, as of the last response. */
  stableEnd: bigint | undefined
}

/**
 * Number of reads of a damaged batch; with the pauses between them they take about three seconds.
 */
const maxDamagedReads = 8
export const unknownEpoch = -1

/** Returns a partition that is read from this position, with nothing buffered. */
export function createPartitionState({
  topic,
  partition,
  offset,
  leaderEpoch = unknownEpoch,
  topicID
}: PartitionPosition): PartitionState {
  return {
    topic,
    partition,
    topicID,
    fetchOffset: offset,
    fetchEpoch: leaderEpoch,
    takeOffset: offset,
    takeEpoch: leaderEpoch,
    batches: [],
    nextBatch: 0,
    waiting: 0,
    bytes: 0,
    skips: [],
    fetching: false,
    damagedReads: 0,
    held: false,
    end: undefined,
    completeUntilMs: undefined,
    stableEnd: undefined
  }
}

/** Buffers the records of a response. Returns their number. */
export function keep(state: PartitionState, answer: FetchedPiece, limits: ReadLimits = defaultReadLimits): number {
  const { abortedTransactions } = answer
  const intact = answer.batches.slice(0, indexOfDamaged(answer))
  const { batches, nextOffset, lastEpoch } = committedBatches(intact, abortedTransactions, state.fetchOffset)
  const waitingBefore = state.waiting
  if (waitingBefore === 0) {
    state.takeOffset = state.fetchOffset
    state.takeEpoch = state.fetchEpoch
  }
  for (const batch of withoutTheRest(batches, answer.batches)) {
    addBatch(state, new BatchRecords(state, batch, { fromOffset: state.fetchOffset, limits }))
  }
  if (nextOffset !== state.fetchOffset) state.damagedReads = 0
  state.fetchOffset = nextOffset
  state.fetchEpoch = lastEpoch ?? state.fetchEpoch
  state.stableEnd = answer.lastStableOffset
  passEnd(state)
  return state.waiting - waitingBefore
}

/**
 * Handles a damaged batch at the fetch offset: has it fetched again after a pause, and finally
 * passes it to the caller as unreadable. The batches after it are fetched again, because the
 * damaged batch may have been the end of a transaction.
 *
 * @returns true if the batch was passed on
 * @throws KafkaError BATCH_CORRUPT while the batch is to be fetched again
 */
export function keepDamaged(state: PartitionState, answer: FetchedPiece, logger: Logger): boolean {
  const index = indexOfDamaged(answer)
  const batch = answer.batches[index]
  if (batch?.damage === undefined) return false
  const { damage: defect } = batch
  const { topic, partition } = state
  const fields = { event: 'batch_damaged', error: defect, topic, partition, offset: String(batch.firstOffset) }
  if (state.damagedReads++ === 0) logger.warn(fields, 'batch is damaged; fetching it again')
  if (state.damagedReads < maxDamagedReads || !batch.isFramed) throw defect
  logger.error(fields, 'batch is still damaged; returning it as unreadable')
  const nextOffset = offsetBehind(batch, answer.batches[index + 1], answer.highWatermark)
  addBatch(state, new BatchRecords(state, batch, { fromOffset: state.fetchOffset, damage: { defect, nextOffset } }))
  state.fetchOffset = nextOffset
  state.fetchEpoch = unknownEpoch
  state.damagedReads = 0
  return true
}

/** Records and sizes that a call of `take` has collected. */
export interface Taken {
  readonly records: FetchedRecord[]
  readonly maxBytes: number
  bytes: number
  readonly maxOpenBytes: number
  /** Decompressed bytes of open batches. */
  openBytes: number
}

export function takeFrom(state: PartitionState, count: number, taken: Taken): void {
  let last: FetchedRecord | undefined
  for (let left = count; left > 0 && state.waiting > 0 && taken.bytes < taken.maxBytes; ) {
    const batch = state.batches[state.nextBatch] as BatchRecords
    // No further batch is decompressed until batches of other partitions that are open have been
    // read.
    if (!batch.isOpen && taken.openBytes >= taken.maxOpenBytes) break
    const [leftBefore, openBefore] = [batch.left, batch.openBytes]
    const record = batch.take()
    state.waiting -= leftBefore - batch.left
    taken.openBytes += batch.openBytes - openBefore
    if (batch.left === 0) {
      state.nextBatch++
      state.bytes -= batch.bytes
    }
    if (record === undefined) continue
    last = record
    taken.bytes += record.bytes
    taken.records.push(record)
    left--
  }
  if (last !== undefined) {
    state.takeOffset = last.nextOffset
    state.takeEpoch = last.leaderEpoch
  }
  // Remove empty batches in bulk, which is cheap. Waiting until none is pending would never happen
  // under a long backlog.
  if (state.nextBatch * 2 >= state.batches.length) {
    state.batches.splice(0, state.nextBatch)
    state.nextBatch = 0
  }
}

function addBatch(state: PartitionState, batch: BatchRecords): void {
  if (batch.left === 0) return
  state.batches.push(batch)
  state.waiting += batch.left
  state.bytes += batch.bytes
}

/** Returns the index of the first damaged batch, or the number of batches if none is damaged. */
function indexOfDamaged({ batches }: FetchedPiece): number {
  const index = batches.findIndex(batch => batch.damage !== undefined)
  return index < 0 ? batches.length : index
}

/**
 * Copies batches that are a small part of their response, because each would keep the whole
 * response in memory.
 */
function withoutTheRest(batches: readonly LogBatch[], answered: readonly LogBatch[]): readonly LogBatch[] {
  const bytesOf = (some: readonly LogBatch[]) => some.reduce((sum, { bytes }) => sum + bytes.length, 0)
  if (batches.length === answered.length || bytesOf(batches) * 2 > bytesOf(answered)) return batches
  return batches.map(batch => ({ ...batch, bytes: Buffer.from(batch.bytes) }))
}

/**
 * Returns the offset of the next batch if there is one, because the length of a damaged batch
 * cannot be trusted.
 */
function offsetBehind(batch: LogBatch, next: LogBatch | undefined, highWatermark: bigint): bigint {
  if (next !== undefined && next.firstOffset > batch.firstOffset) return next.firstOffset
  const own = batch.firstOffset + BigInt(batch.lastOffsetDelta) + 1n
  return own > batch.firstOffset && own <= highWatermark ? own : batch.firstOffset + 1n
}

export function nextToTake(state: PartitionState): { readonly offset: bigint; readonly leaderEpoch: number } {
  return state.waiting > 0
    ? { offset: state.takeOffset, leaderEpoch: state.takeEpoch }
    : { offset: state.fetchOffset, leaderEpoch: state.fetchEpoch }
}

/** Returns how many offsets can be read after those that were taken; undefined while unknown. */
export function lagOf(state: PartitionState): number | undefined {
  if (state.stableEnd === undefined) return undefined
  return Math.max(0, Number(state.stableEnd - nextToTake(state).offset))
}

export function changeOf({ topic, partition, fetchOffset }: PartitionState) {
  return { topic, partition, position: fetchOffset }
}

export function passEnd(state: PartitionState): void {
  if (state.end === undefined || nextToTake(state).offset < state.end.offset) return
  state.completeUntilMs = state.end.atMs
  state.end = undefined
}
