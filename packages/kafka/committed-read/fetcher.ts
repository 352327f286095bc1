import { setTimeout as delay } from 'node:timers/promises'
import type { Cluster, PartitionLeader } from '../cluster/cluster.ts'
import { listOffsets, offsetAt } from '../cluster/list-offsets.ts'
import { request } from '../cluster/requests.ts'
import { checkCode, KafkaError, protocolError, toKafkaError } from '../errors.ts'
import type { Logger } from '../records.ts'
import { BatchRecords, type FetchedRecord } from './batch-records.ts'
import { committedBatches } from './committed-batches.ts'
import { type FetchedPiece, fetchCommitted } from './fetch-committed.ts'
import { LogChangedError } from './log-changed.ts'

/**
 * Reads committed records of a changing set of partitions ahead of whoever takes them.
 *
 * One **round** runs per leading broker: one long poll over all its partitions that have room in their buffer. A round's
 * answer fills the buffers, wakes who waits, and the next round starts. `assign` replaces the partitions and their
 * positions; an answer to a question asked before that is dropped (each assignment has a number).
 *
 * Each fetch names the topic by its id (KIP-516) and the leader epoch of the last batch that was read (KIP-320). A log that does not
 * continue what was read answers with a divergence, and a recreated topic has another id: `take` then throws LogChangedError.
 */
export interface PartitionPosition {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  /** Leader epoch of the record before `offset`; -1 or absent when it is unknown. */
  readonly leaderEpoch?: number
  /** Topic that the offset belongs to. Absent: the topic that has the name at the first fetch. */
  readonly topicID?: string | undefined
}

/** How far the records of a partition have been taken. */
export interface PartitionProgress extends PartitionPosition {
  /** All that was in the partition before this moment (on this machine's clock) has been taken; absent while that is not known. */
  readonly completeUntilMs?: number
}

export interface FetcherOptions {
  /** A partition with this many records waiting is not asked for more. */
  readonly maxBufferedRecords: number
  /** How much one answer may hold of a partition; a broker gives one whole batch at least. */
  readonly maxPartitionBytes?: number
  /** At once unless set. */
  readonly pace?: FetchPace
  readonly logger: Logger
}

/** How often to fetch. Batches are larger the less often that is, and records up to so much later. */
export interface FetchPace {
  /** From one question to the next one to the same broker, at least, unless its answer left something for the next. */
  readonly everyMs: number
  /** Where no more than so many records a second come, each is brought at once, as there is time for it: 400 unless set. */
  readonly abovePerSecond?: number
}

interface PartitionState {
  readonly topic: string
  readonly partition: number
  /** Where the next fetch begins. */
  fetchOffset: bigint
  /** Leader epoch of the batch before `fetchOffset`. */
  fetchEpoch: number
  /** Where to go on for whoever takes: behind the record that was taken last. */
  takeOffset: bigint
  takeEpoch: number
  topicID: string | undefined
  /** Batches with records that were not taken; those before `nextBatch` have none, and are not moved out of the way each time. */
  batches: BatchRecords[]
  nextBatch: number
  /** How many records wait in them. */
  waiting: number
  fetching: boolean
  /** An end of the log that was seen: what was there before `atMs` lies before `offset`. One at a time, until it is passed. */
  end: { readonly offset: bigint; readonly atMs: number } | undefined
  completeUntilMs: number | undefined
}

const maxWaitMs = 250
const maxBytes = 16 * 1024 * 1024
const defaultMaxPartitionBytes = 1024 * 1024
const retryDelayMs = 100
const readCommitted = 1
const offsetOutOfRange = 1
const unknownEpoch = -1

export class Fetcher {
  readonly #cluster: Cluster
  readonly #options: FetcherOptions
  readonly #partitions = new Map<string, PartitionState>()
  #assignment = 0
  #running = false
  #wake: (() => void) | undefined
  #failure: KafkaError | undefined
  #nextPartition = 0
  /** By leader: when its last answer came. */
  readonly #answeredAtMs = new Map<number, number>()

  constructor(cluster: Cluster, options: FetcherOptions) {
    this.#cluster = cluster
    this.#options = options
  }

  /** Reads these partitions from these positions on, and nothing else; what was buffered is dropped. */
  assign(positions: readonly PartitionPosition[]): void {
    this.#assignment++
    this.#failure = undefined
    this.#partitions.clear()
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
        fetching: false,
        end: undefined,
        completeUntilMs: undefined
      })
    }
    void this.#run(this.#assignment)
  }

  /** Forgets everything; nobody reads any more. */
  stop(): void {
    this.assign([])
    this.wake()
  }

  /** Ends a wait in `take`. */
  wake(): void {
    this.#wake?.()
  }

  /**
   * Up to `maxRecords` records, in offset order within each partition, taking turns between partitions. Waits until there
   * are some or somebody wakes it; then it may answer with none.
   * @throws KafkaError when the broker refuses for good (authorization); LogChangedError until positions are assigned again.
   */
  async take(maxRecords: number): Promise<FetchedRecord[]> {
    if (this.#failure === undefined && !this.hasRecords()) {
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
      this.#wake = undefined
    }
    if (this.#failure !== undefined) throw this.#failure
    return this.takeBuffered(maxRecords)
  }

  /** Where each partition is read on; what lies before is buffered, or was taken. */
  positions(): PartitionPosition[] {
    return [...this.#partitions.values()].map(({ topic, partition, fetchOffset }) => ({
      topic,
      partition,
      offset: fetchOffset
    }))
  }

  /** Where each partition stands for whoever takes its records: `offset` is the next one to be taken. */
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

  hasRecords(): boolean {
    for (const state of this.#partitions.values()) if (state.waiting > 0) return true
    return false
  }

  /** As `take`, of what is there already. */
  takeBuffered(maxRecords: number): FetchedRecord[] {
    const records: FetchedRecord[] = []
    const states = [...this.#partitions.values()]
    const share = Math.max(1, Math.ceil(maxRecords / Math.max(1, states.filter(state => state.waiting > 0).length)))
    for (let turn = 0; turn < states.length && records.length < maxRecords; turn++) {
      const state = states[(this.#nextPartition + turn) % states.length] as PartitionState
      takeFrom(state, Math.min(share, maxRecords - records.length), records)
    }
    this.#nextPartition++
    void this.#run(this.#assignment)
    return records
  }

  /** Starts a round for each leader that has partitions with room and no round under way. */
  async #run(assignment: number): Promise<void> {
    if (this.#running) return
    this.#running = true
    while (assignment === this.#assignment) {
      try {
        const idle = [...this.#partitions.values()].filter(state => !state.fetching && this.#hasRoom(state))
        if (idle.length === 0) break
        const byLeader = await this.#byLeader(idle)
        if (assignment !== this.#assignment) break
        for (const [leaderID, states] of byLeader) void this.#round(assignment, leaderID, states)
      } catch (error) {
        await this.#recover(assignment, error)
        if (this.#failure !== undefined) break
      }
    }
    this.#running = false
    if (assignment !== this.#assignment) void this.#run(this.#assignment)
  }

  #hasRoom(state: PartitionState): boolean {
    return state.waiting < this.#options.maxBufferedRecords
  }

  async #byLeader(states: readonly PartitionState[]): Promise<Map<number, PartitionState[]>> {
    const byLeader = new Map<number, PartitionState[]>()
    for (const state of states) {
      const leader = (await this.#cluster.partitions(state.topic))[state.partition]
      if (leader === undefined || leader.leaderID < 0) {
        throw new KafkaError('LEADER_NOT_AVAILABLE', `${state.topic}/${state.partition} has no leader`, {
          retryable: true
        })
      }
      const group = byLeader.get(leader.leaderID)
      if (group === undefined) byLeader.set(leader.leaderID, [state])
      else group.push(state)
    }
    return byLeader
  }

  async #round(assignment: number, leaderID: number, states: readonly PartitionState[]): Promise<void> {
    for (const state of states) state.fetching = true
    const askedAtMs = performance.now()
    const { everyMs = 0, abovePerSecond = 400 } = this.#options.pace ?? {}
    try {
      const { records, isAll } = await this.#fetch(assignment, leaderID, states)
      const nowMs = performance.now()
      const sinceLastMs = nowMs - (this.#answeredAtMs.get(leaderID) ?? askedAtMs)
      this.#answeredAtMs.set(leaderID, nowMs)
      const pauseMs = askedAtMs + everyMs - nowMs
      if (isAll && pauseMs > 0 && (records * 1_000) / sinceLastMs > abovePerSecond) await delay(pauseMs)
    } catch (error) {
      await this.#recover(assignment, error)
    } finally {
      for (const state of states) state.fetching = false
    }
    if (assignment === this.#assignment && this.#failure === undefined) void this.#run(assignment)
  }

  /** @returns how many records came, and whether these are all that there were */
  async #fetch(
    assignment: number,
    leaderID: number,
    states: readonly PartitionState[]
  ): Promise<{ records: number; isAll: boolean }> {
    const connection = await this.#cluster.connectionTo(leaderID)
    const byTopicID = new Map<string, { state: PartitionState; leader: PartitionLeader }[]>()
    for (const state of states) {
      const leader = (await this.#cluster.partitions(state.topic))[state.partition]
      if (leader === undefined) continue
      state.topicID ??= leader.topicID
      if (state.topicID !== leader.topicID) throw new LogChangedError('TOPIC_RECREATED', changeOf(state))
      const group = byTopicID.get(leader.topicID)
      if (group === undefined) byTopicID.set(leader.topicID, [{ state, leader }])
      else group.push({ state, leader })
    }
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
    const askedAtMs = Date.now()
    const response = await request(
      connection,
      fetchCommitted,
      maxWaitMs,
      1,
      maxBytes,
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
    let failure: KafkaError | undefined
    for (const topic of response.responses) {
      const wanted = byTopicID.get(topic.topicId)
      for (const answer of topic.partitions) {
        const state = wanted?.find(({ state }) => state.partition === answer.partitionIndex)?.state
        if (state === undefined) continue
        if (answer.errorCode === offsetOutOfRange) await this.#restart(assignment, state)
        else if (answer.errorCode !== 0)
          failure ??= protocolError(answer.errorCode, `fetching ${state.topic}/${state.partition}`)
        else if (answer.divergence !== undefined)
          failure = new LogChangedError('LOG_TRUNCATED', { ...changeOf(state), divergence: answer.divergence })
        else {
          records += this.#keep(state, answer, askedAtMs)
          isAll &&= state.fetchOffset >= answer.lastStableOffset
        }
      }
    }
    if (failure !== undefined) throw failure
    return { records, isAll }
  }

  /** @returns how many records it brought */
  #keep(state: PartitionState, answer: FetchedPiece, askedAtMs: number): number {
    const { abortedTransactions, highWatermark } = answer
    const { batches, nextOffset, lastEpoch } = committedBatches(answer.batches, abortedTransactions, state.fetchOffset)
    const waitingBefore = state.waiting
    if (waitingBefore === 0) {
      state.takeOffset = state.fetchOffset
      state.takeEpoch = state.fetchEpoch
    }
    for (const batch of batches) {
      const records = new BatchRecords(state, batch, state.fetchOffset)
      if (records.left === 0) continue
      state.batches.push(records)
      state.waiting += records.left
    }
    const isNew = nextOffset !== state.fetchOffset
    state.fetchOffset = nextOffset
    state.fetchEpoch = lastEpoch ?? state.fetchEpoch
    passEnd(state)
    // Short of the high watermark there may be records of a transaction that is still open.
    if (nextOffset >= highWatermark) state.end ??= { offset: nextOffset, atMs: askedAtMs }
    if (isNew) this.wake()
    return state.waiting - waitingBefore
  }

  /** Resumes at the beginning of the log when the records at the position were removed from it. @throws LogChangedError otherwise */
  async #restart(assignment: number, state: PartitionState): Promise<void> {
    const [beginning] = await beginningOffsets(this.#cluster, [state])
    if (assignment !== this.#assignment || beginning === undefined) return
    if (state.fetchOffset >= beginning.offset) throw new LogChangedError('LOG_TRUNCATED', changeOf(state))
    this.#options.logger.error(
      {
        topic: state.topic,
        partition: state.partition,
        wanted: String(state.fetchOffset),
        beginning: String(beginning.offset)
      },
      'records were removed from the log before they were read; reading resumes at its beginning'
    )
    state.fetchOffset = beginning.offset
    state.fetchEpoch = unknownEpoch
    state.end = undefined
  }

  async #recover(assignment: number, thrown: unknown): Promise<void> {
    if (assignment !== this.#assignment) return
    const error = toKafkaError(thrown, 'fetching')
    if (!error.retryable || error instanceof LogChangedError) {
      this.#failure = error
      this.wake()
      return
    }
    this.#options.logger.debug({ error }, 'fetching failed; trying again')
    this.#cluster.forget()
    await delay(retryDelayMs)
  }
}

function takeFrom(state: PartitionState, count: number, records: FetchedRecord[]): void {
  let last: FetchedRecord | undefined
  for (let left = Math.min(count, state.waiting); left > 0; left--) {
    const batch = state.batches[state.nextBatch] as BatchRecords
    last = batch.take()
    state.waiting--
    if (batch.left === 0) state.nextBatch++
    records.push(last)
  }
  if (last !== undefined) {
    state.takeOffset = last.offset + 1n
    state.takeEpoch = last.leaderEpoch
  }
  // Now and then, so that it costs next to nothing, but not only when none waits: with a long backlog that is never.
  if (state.nextBatch * 2 >= state.batches.length) {
    state.batches.splice(0, state.nextBatch)
    state.nextBatch = 0
  }
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

/** The first offset still in the log of each partition. */
export function beginningOffsets(
  cluster: Cluster,
  partitions: readonly { topic: string; partition: number }[]
): Promise<PartitionPosition[]> {
  return listOffsets(cluster, partitions, offsetAt.beginning)
}

/** Behind the last record of each partition, also when its transaction has not ended: the high watermark. */
export function endOffsets(
  cluster: Cluster,
  partitions: readonly { topic: string; partition: number }[]
): Promise<PartitionPosition[]> {
  return listOffsets(cluster, partitions, offsetAt.end)
}
