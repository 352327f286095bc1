import { setTimeout as delay } from 'node:timers/promises'
import type { Cluster, PartitionLeader } from '../cluster/cluster.ts'
import { findOffsets, listOffsets, offsetAt } from '../cluster/list-offsets.ts'
import { request } from '../cluster/requests.ts'
import { checkCode, type KafkaError, toKafkaError } from '../errors.ts'
import type { Logger } from '../records.ts'
import { BatchRecords } from './batch-records.ts'
import { committedBatches } from './committed-batches.ts'
import { type FetchedPiece, fetchCommitted } from './fetch-committed.ts'
import type { FetchedRecord } from './fetched-record.ts'
import type { LogBatch } from './log-batches.ts'
import { LogChangedError } from './log-changed.ts'
import { defaultReadLimits, type ReadLimits } from './read-limits.ts'
import { Troubles } from './troubles.ts'

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

export interface FetcherOptions {
  /** Number of buffered records at which a partition is not fetched any more. */
  readonly maxBufferedRecords: number
  /**
   * Maximum bytes buffered or in flight, exceeded by at most one batch of each partition; default
   * 32 MiB.
   */
  readonly maxBufferedBytes?: number
  readonly limits?: ReadLimits
  /** Maximum bytes of a partition in one response; a broker returns at least one whole batch. */
  readonly maxPartitionBytes?: number
  /** Delay policy between fetches; by default the next fetch follows immediately. */
  readonly pace?: FetchPace
  readonly logger: Logger
  /** Register of partitions that cannot be read, shared with the owner of the fetcher. */
  readonly troubles?: Troubles
}

/**
 * Delay policy between fetches. Fewer fetches bring larger batches, and delay records by up to the
 * interval.
 */
export interface FetchPace {
  /**
   * Minimum time between requests to the same broker, unless the last response did not contain all
   * available records.
   */
  readonly everyMs: number
  /** Rate of records per second up to which the delay is not applied; default 400. */
  readonly abovePerSecond?: number
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

interface PartitionState {
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
   * End of the leader's log: records written before `atMs` precede `offset`. One at a time, until
   * `offset` is passed.
   */
  end: { readonly offset: bigint; readonly atMs: number } | undefined
  completeUntilMs: number | undefined
}

interface LedPartition {
  readonly state: PartitionState
  readonly leader: PartitionLeader
}

const maxWaitMs = 250
const defaultMaxPartitionBytes = 1024 * 1024
const defaultMaxBufferedBytes = 32 * 1024 * 1024
const leastAnswerBytes = 1024 * 1024
/**
 * Maximum of two concurrent rounds, so that partitions with records need not wait for a long poll
 * over those without.
 */
const maxRoundsOfLeader = 2
/**
 * Number of reads of a damaged batch; with the pauses between them they take about three seconds.
 */
const maxDamagedReads = 8
const readCommitted = 1
const offsetOutOfRange = 1
const unknownEpoch = -1

/**
 * Prefetches committed records of a changing set of partitions. It runs **rounds** for each leading
 * broker: a round is one long poll over all of the broker's partitions that have room in their
 * buffers. The response fills the buffers and wakes waiting callers, and the next round
 * starts. `assign` replaces the partitions and their positions. Assignments are numbered, and
 * responses to requests of an earlier assignment are dropped.
 *
 * Each partition fails alone. A partition without a leader or without access is **held** and
 * retried after a pause, while the others are read. One that cannot be read for a second is
 * reported. Reading fails only when all partitions fail permanently.
 *
 * Memory is bounded by bytes as well as by records. Half of `maxBufferedBytes` is for buffered
 * batches, in equal shares of the partitions; the other half is for responses in flight. Batches
 * stay compressed until their records are taken. While decompressed batches hold as much memory
 * again, no further batch is opened.
 *
 * Every batch is verified against its checksum on arrival. A damaged one is fetched again several
 * times, because another replica may lead by then, or the damage may have occurred in transit. If
 * it remains damaged, it is returned to the caller as one unreadable record.
 *
 * Each fetch names the topic by its id (KIP-516) and the leader epoch of the last batch that was
 * read (KIP-320). A log that does not continue the records already read answers with a divergence,
 * and a recreated topic has another id. In both cases `take` throws LogChangedError.
 */
export class Fetcher {
  readonly #cluster: Cluster
  readonly #options: FetcherOptions
  readonly #partitions = new Map<string, PartitionState>()
  readonly #troubles: Troubles
  readonly #roundsOf = new Map<number, number>()
  #assignment = 0
  #isRunDue = false
  #isNotingEnds = false
  #wake: (() => void) | undefined
  #failure: KafkaError | undefined
  #nextPartition = 0
  #nextFetched = 0
  /** Time of each leader's last response. */
  readonly #answeredAtMs = new Map<number, number>()

  constructor(cluster: Cluster, options: FetcherOptions) {
    this.#cluster = cluster
    this.#options = options
    this.#troubles = options.troubles ?? new Troubles({ logger: options.logger })
  }

  /** Reads only these partitions, from these positions, and drops everything buffered. */
  assign(positions: readonly PartitionPosition[]): void {
    this.#assignment++
    this.#failure = undefined
    this.#partitions.clear()
    this.add(positions)
  }

  /** Reads these partitions in addition. */
  add(positions: readonly PartitionPosition[]): void {
    for (const { topic, partition, offset, leaderEpoch = unknownEpoch, topicID } of positions) {
      this.#partitions.set(`${topic}/${partition}`, {
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
        completeUntilMs: undefined
      })
    }
    this.#run()
  }

  /** Stops reading and drops everything buffered. */
  stop(): void {
    this.assign([])
    this.wake()
  }

  /** Ends a wait in `take`. */
  wake(): void {
    this.#wake?.()
  }

  /**
   * Takes up to `maxRecords` records, in offset order within each partition and taking turns
   * between partitions. Stops once they have `maxBytes`. Waits until there are records or `wake` is
   * called; then it may return none.
   *
   * @throws KafkaError after a permanent error (authorization); LogChangedError until positions are
   * assigned again
   */
  async take(maxRecords: number, maxBytes = Number.POSITIVE_INFINITY): Promise<FetchedRecord[]> {
    if (this.#failure === undefined && !this.hasRecords()) {
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
      this.#wake = undefined
    }
    if (this.#failure !== undefined) throw this.#failure
    return this.takeBuffered(maxRecords, maxBytes)
  }

  /**
   * Returns the next fetch position of each partition; earlier records are buffered or were taken.
   */
  positions(): PartitionPosition[] {
    return [...this.#partitions.values()].map(({ topic, partition, topicID, fetchOffset }) => ({
      topic,
      partition,
      topicID,
      offset: fetchOffset
    }))
  }

  /** Returns the progress of each partition; `offset` is the next one to take. */
  progress(): PartitionProgress[] {
    return [...this.#partitions.values()].map(state => {
      passEnd(state)
      const { topic, partition, topicID, completeUntilMs } = state
      return {
        ...{ topic, partition, topicID, ...nextToTake(state) },
        ...(completeUntilMs !== undefined && { completeUntilMs })
      }
    })
  }

  /**
   * Queries the ends of the logs in the background; `progress` computes `completeUntilMs` from
   * them.
   *
   * The high watermark is not sufficient: while a follower stalls, it is before records that the
   * leader has written. The fetcher therefore queries the leader for the end of its log, after
   * refreshing partitions and leaders. Everything written before that refresh precedes those ends.
   */
  noteEnds(): void {
    if (this.#isNotingEnds) return
    this.#isNotingEnds = true
    this.#noteEnds(this.#assignment)
      .catch(() => {}) // the next call retries
      .finally(() => {
        this.#isNotingEnds = false
      })
  }

  async #noteEnds(assignment: number): Promise<void> {
    await this.#cluster.refresh()
    const open = [...this.#partitions.values()].filter(({ end }) => end === undefined)
    const asOfMs = new Map(open.map(({ topic }) => [topic, this.#cluster.asOfMs(topic)]))
    const { found } = await findOffsets(this.#cluster, open, offsetAt.logEnd)
    if (assignment !== this.#assignment) return
    for (const { topic, partition, offset } of found) {
      const state = this.#partitions.get(`${topic}/${partition}`)
      const atMs = asOfMs.get(topic)
      if (state !== undefined && atMs !== undefined) state.end ??= { offset, atMs }
    }
  }

  /**
   * Returns the offsets of records that were removed before they were read, once all preceding
   * records were taken.
   */
  takeSkips(): SkippedRange[] {
    return [...this.#partitions.values()].flatMap(state => {
      const passed = state.skips.filter(({ to }) => nextToTake(state).offset >= to)
      state.skips = state.skips.filter(skip => !passed.includes(skip))
      return passed
    })
  }

  /** Returns true while records that were removed before they were read are not reported yet. */
  hasSkips(): boolean {
    return [...this.#partitions.values()].some(({ skips }) => skips.length > 0)
  }

  /** Returns the error of one of these partitions, if it is permanent or has lasted for `forMs`. */
  trouble(partitions: readonly PartitionPosition[], forMs: number): KafkaError | undefined {
    for (const own of partitions) {
      const error = this.#troubles.lasting(own, forMs)
      if (error !== undefined) return error
    }
    return undefined
  }

  /** Size of the buffered batches in bytes. */
  get bufferedBytes(): number {
    let bytes = 0
    for (const state of this.#partitions.values()) bytes += state.bytes
    return bytes
  }

  hasRecords(): boolean {
    for (const state of this.#partitions.values()) if (state.waiting > 0) return true
    return false
  }

  /** Takes records like `take`, but only buffered ones, without waiting. */
  takeBuffered(maxRecords: number, maxBytes = Number.POSITIVE_INFINITY): FetchedRecord[] {
    const states = [...this.#partitions.values()]
    const share = Math.max(1, Math.ceil(maxRecords / Math.max(1, states.filter(state => state.waiting > 0).length)))
    const openBytes = states.reduce((sum, { batches, nextBatch }) => sum + (batches[nextBatch]?.openBytes ?? 0), 0)
    const taken: Taken = { records: [], maxBytes, bytes: 0, maxOpenBytes: this.#maxBufferedBytes / 2, openBytes }
    for (let turn = 0; turn < states.length && taken.records.length < maxRecords; turn++) {
      const state = states[(this.#nextPartition + turn) % states.length] as PartitionState
      takeFrom(state, Math.min(share, maxRecords - taken.records.length), taken)
    }
    this.#nextPartition++
    this.#run()
    return taken.records
  }

  get #maxBufferedBytes(): number {
    return this.#options.maxBufferedBytes ?? defaultMaxBufferedBytes
  }

  /** Starts a round for each leader that has partitions with room and no round in flight. */
  #run(): void {
    if (this.#failure !== undefined) return
    const byLeader = new Map<number, LedPartition[]>()
    for (const state of this.#inTurn()) {
      if (state.fetching || state.held || !this.#hasRoom(state)) continue
      const leader = this.#cluster.knownLeader(state.topic, state.partition)
      if (leader === undefined) {
        void this.#locate(this.#assignment, state)
        continue
      }
      state.topicID ??= leader.topicID
      if (state.topicID !== leader.topicID) {
        this.#hold(this.#assignment, state, new LogChangedError('TOPIC_RECREATED', changeOf(state)))
        continue
      }
      const group = byLeader.get(leader.leaderID)
      if (group === undefined) byLeader.set(leader.leaderID, [{ state, leader }])
      else group.push({ state, leader })
    }
    for (const [leaderID, led] of byLeader) {
      if ((this.#roundsOf.get(leaderID) ?? 0) < maxRoundsOfLeader) void this.#round(this.#assignment, leaderID, led)
    }
  }

  /**
   * Returns the partitions, starting with another one each time, because a response may have room
   * for the first ones only.
   */
  #inTurn(): PartitionState[] {
    const states = [...this.#partitions.values()]
    const first = this.#nextFetched++ % Math.max(1, states.length)
    return [...states.slice(first), ...states.slice(0, first)]
  }

  async #locate(assignment: number, state: PartitionState): Promise<void> {
    state.held = true
    try {
      await this.#cluster.leader(state.topic, state.partition)
    } catch (error) {
      this.#hold(assignment, state, error)
      return
    }
    this.#release(assignment, state)
  }

  /** Resumes reading a partition. Partitions released in the same turn share a round. */
  #release(assignment: number, state: PartitionState): void {
    state.held = false
    if (assignment !== this.#assignment || this.#isRunDue) return
    this.#isRunDue = true
    setImmediate(() => {
      this.#isRunDue = false
      this.#run()
    })
  }

  #hasRoom({ waiting, bytes }: PartitionState): boolean {
    const room = this.#maxBufferedBytes / 2
    const isFull = waiting >= this.#options.maxBufferedRecords || this.bufferedBytes >= room
    return !isFull && (bytes === 0 || bytes < room / this.#partitions.size)
  }

  /**
   * Returns the maximum size of a response that keeps all rounds together within their half of the
   * memory.
   */
  #answerBytes(): number {
    const brokers = Math.max(1, this.#cluster.brokerCount)
    return Math.max(leastAnswerBytes, Math.floor(this.#maxBufferedBytes / (2 * maxRoundsOfLeader * brokers)))
  }

  async #round(assignment: number, leaderID: number, led: readonly LedPartition[]): Promise<void> {
    for (const { state } of led) state.fetching = true
    this.#countRound(leaderID, 1)
    const askedAtMs = performance.now()
    const { everyMs = 0, abovePerSecond = 400 } = this.#options.pace ?? {}
    let records = 0
    try {
      const answer = await this.#fetch(assignment, leaderID, led)
      records = answer.records
      const nowMs = performance.now()
      const sinceLastMs = nowMs - (this.#answeredAtMs.get(leaderID) ?? askedAtMs)
      this.#answeredAtMs.set(leaderID, nowMs)
      const pauseMs = askedAtMs + everyMs - nowMs
      if (answer.isAll && pauseMs > 0 && (records * 1_000) / sinceLastMs > abovePerSecond) await delay(pauseMs)
    } catch (error) {
      for (const { state } of led) this.#hold(assignment, state, error)
    } finally {
      for (const { state } of led) state.fetching = false
    }
    const others = this.#countRound(leaderID, -1)
    // A broker answers long polls one after another: partitions without records join the round in
    // flight when it ends.
    if (records === 0 && others > 0) return
    this.#run()
  }

  #countRound(leaderID: number, change: 1 | -1): number {
    const rounds = (this.#roundsOf.get(leaderID) ?? 0) + change
    this.#roundsOf.set(leaderID, rounds)
    return rounds
  }

  /** Fetches once. Returns the number of records, and whether these were all available ones. */
  async #fetch(
    assignment: number,
    leaderID: number,
    led: readonly LedPartition[]
  ): Promise<{ records: number; isAll: boolean }> {
    const connection = await this.#cluster.connectionTo(leaderID)
    const byTopicID = Map.groupBy(led, ({ leader }) => leader.topicID)
    const topics = [...byTopicID].map(([topicId, wanted]) => ({
      topicId,
      partitions: wanted.map(({ state, leader }) => ({
        partition: state.partition,
        currentLeaderEpoch: leader.leaderEpoch,
        fetchOffset: state.fetchOffset,
        lastFetchedEpoch: state.fetchEpoch,
        partitionMaxBytes: this.#options.maxPartitionBytes ?? defaultMaxPartitionBytes
      }))
    }))
    const response = await request(
      connection,
      fetchCommitted,
      maxWaitMs,
      1,
      this.#answerBytes(),
      readCommitted,
      0,
      -1,
      topics,
      [],
      ''
    )
    if (assignment !== this.#assignment) return { records: 0, isAll: false }
    checkCode(response.errorCode, 'fetching')
    let records = 0
    let isAll = true
    for (const topic of response.responses) {
      const wanted = byTopicID.get(topic.topicId)
      for (const answer of topic.partitions) {
        const state = wanted?.find(({ state }) => state.partition === answer.partitionIndex)?.state
        if (state === undefined) continue
        try {
          if (answer.errorCode === offsetOutOfRange) {
            void this.#restart(assignment, state)
            continue
          }
          checkCode(answer.errorCode, `fetching ${state.topic}/${state.partition}`)
          if (answer.divergence !== undefined) {
            throw new LogChangedError('LOG_TRUNCATED', { ...changeOf(state), divergence: answer.divergence })
          }
          records += this.#keep(state, answer)
          isAll &&= state.fetchOffset >= answer.lastStableOffset
          this.#checkDamage(state, answer)
          this.#troubles.end(state)
        } catch (error) {
          this.#hold(assignment, state, error)
        }
      }
    }
    return { records, isAll }
  }

  /** Buffers the records of a response. Returns their number. */
  #keep(state: PartitionState, answer: FetchedPiece): number {
    const { abortedTransactions } = answer
    const intact = answer.batches.slice(0, indexOfDamaged(answer))
    const { batches, nextOffset, lastEpoch } = committedBatches(intact, abortedTransactions, state.fetchOffset)
    const waitingBefore = state.waiting
    if (waitingBefore === 0) {
      state.takeOffset = state.fetchOffset
      state.takeEpoch = state.fetchEpoch
    }
    const { limits = defaultReadLimits } = this.#options
    for (const batch of withoutTheRest(batches, answer.batches)) {
      addBatch(state, new BatchRecords(state, batch, { fromOffset: state.fetchOffset, limits }))
    }
    const isNew = nextOffset !== state.fetchOffset
    if (isNew) state.damagedReads = 0
    state.fetchOffset = nextOffset
    state.fetchEpoch = lastEpoch ?? state.fetchEpoch
    passEnd(state)
    if (isNew) this.wake()
    return state.waiting - waitingBefore
  }

  /**
   * Handles a damaged batch at the fetch offset: has it fetched again after a pause, and finally
   * passes it to the caller as unreadable. The batches after it are fetched again, because the
   * damaged batch may have been the end of a transaction.
   *
   * @throws KafkaError BATCH_CORRUPT while the batch is to be fetched again
   */
  #checkDamage(state: PartitionState, answer: FetchedPiece): void {
    const index = indexOfDamaged(answer)
    const batch = answer.batches[index]
    if (batch?.damage === undefined) return
    const { damage: defect } = batch
    const { topic, partition } = state
    const fields = { event: 'batch_damaged', error: defect, topic, partition, offset: String(batch.firstOffset) }
    if (state.damagedReads++ === 0) this.#options.logger.warn(fields, 'batch is damaged; fetching it again')
    if (state.damagedReads < maxDamagedReads || !batch.isFramed) throw defect
    this.#options.logger.error(fields, 'batch is still damaged; returning it as unreadable')
    const nextOffset = offsetBehind(batch, answer.batches[index + 1], answer.highWatermark)
    addBatch(state, new BatchRecords(state, batch, { fromOffset: state.fetchOffset, damage: { defect, nextOffset } }))
    state.fetchOffset = nextOffset
    state.fetchEpoch = unknownEpoch
    state.damagedReads = 0
    this.wake()
  }

  /**
   * Resumes at the beginning of the log if the records at the position were removed, and records
   * the skipped range.
   */
  async #restart(assignment: number, state: PartitionState): Promise<void> {
    state.held = true
    try {
      const [beginning] = await beginningOffsets(this.#cluster, [state])
      if (assignment !== this.#assignment || beginning === undefined) return
      if (state.fetchOffset >= beginning.offset) throw new LogChangedError('LOG_TRUNCATED', changeOf(state))
      const { topic, partition, topicID, fetchOffset } = state
      state.skips = [...state.skips, { topic, partition, topicID, from: fetchOffset, to: beginning.offset }]
      state.fetchOffset = beginning.offset
      state.fetchEpoch = unknownEpoch
      state.end = undefined
      this.wake()
    } catch (error) {
      this.#hold(assignment, state, error)
      return
    }
    this.#release(assignment, state)
  }

  /** Pauses a partition after a failure, then retries it. */
  #hold(assignment: number, state: PartitionState, thrown: unknown): void {
    if (assignment !== this.#assignment) return
    const { topic, partition } = state
    const error = toKafkaError(thrown, `reading ${topic}/${partition}`)
    if (error instanceof LogChangedError) {
      this.#failure = error
      this.wake()
      return
    }
    this.#cluster.doubt(topic, partition)
    const pauseMs = this.#troubles.note(state, error)
    if ([...this.#partitions.values()].every(each => this.#troubles.isRefused(each))) {
      this.#failure = error
      this.wake()
      return
    }
    state.held = true
    void delay(pauseMs).then(() => this.#release(assignment, state))
    this.wake() // for callers that wait only for this partition
  }
}

interface Taken {
  readonly records: FetchedRecord[]
  readonly maxBytes: number
  bytes: number
  readonly maxOpenBytes: number
  /** Decompressed bytes of open batches. */
  openBytes: number
}

function takeFrom(state: PartitionState, count: number, taken: Taken): void {
  let last: FetchedRecord | undefined
  for (let left = count; left > 0 && state.waiting > 0 && taken.bytes < taken.maxBytes; ) {
    const batch = state.batches[state.nextBatch] as BatchRecords
    // Finish open batches of other partitions first.
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

function nextToTake(state: PartitionState): { readonly offset: bigint; readonly leaderEpoch: number } {
  return state.waiting > 0
    ? { offset: state.takeOffset, leaderEpoch: state.takeEpoch }
    : { offset: state.fetchOffset, leaderEpoch: state.fetchEpoch }
}

function changeOf({ topic, partition, fetchOffset }: PartitionState) {
  return { topic, partition, position: fetchOffset }
}

function passEnd(state: PartitionState): void {
  if (state.end === undefined || nextToTake(state).offset < state.end.offset) return
  state.completeUntilMs = state.end.atMs
  state.end = undefined
}

/** Returns the first available offset of each partition. */
export function beginningOffsets(
  cluster: Cluster,
  partitions: readonly { topic: string; partition: number }[]
): Promise<readonly PartitionPosition[]> {
  return listOffsets(cluster, partitions, offsetAt.beginning)
}

/**
 * Returns the high watermark of each partition: the offset after its last record, including records
 * of open transactions.
 */
export function endOffsets(
  cluster: Cluster,
  partitions: readonly { topic: string; partition: number }[]
): Promise<readonly PartitionPosition[]> {
  return listOffsets(cluster, partitions, offsetAt.end)
}
