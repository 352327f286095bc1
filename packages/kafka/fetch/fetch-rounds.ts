import { setTimeout as delay } from 'node:timers/promises'
import type { Cluster, PartitionLeader } from '../cluster/cluster.ts'
import { listOffsets, offsetAt } from '../cluster/list-offsets.ts'
import { request } from '../cluster/requests.ts'
import { checkCode, type KafkaError, toKafkaError } from '../errors.ts'
import type { Logger } from '../records.ts'
import { fetchCommitted } from './fetch-committed.ts'
import { LogChangedError } from './log-changed.ts'
import { changeOf, keep, keepDamaged, type PartitionState, unknownEpoch } from './partition-state.ts'
import type { ReadLimits } from './read-limits.ts'
import { Troubles } from './troubles.ts'

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
const readCommitted = 1
const offsetOutOfRange = 1

/**
 * Fetches the partitions of a Fetcher in rounds. Assignments are numbered, and responses to requests
 * of an earlier assignment are dropped.
 */
export class FetchRounds {
  readonly #cluster: Cluster
  readonly #options: FetcherOptions
  readonly #partitions: ReadonlyMap<string, PartitionState>
  readonly #wake: () => void
  readonly troubles: Troubles
  readonly #roundsOf = new Map<number, number>()
  #assignment = 0
  #isRunDue = false
  #isPaused = false
  #failure: KafkaError | undefined
  #nextFetched = 0
  /** Time of each leader's last response. */
  readonly #answeredAtMs = new Map<number, number>()

  /**
   * @param partitions partitions to fetch; changed by the fetcher
   * @param wake ends a wait for records
   */
  constructor(
    cluster: Cluster,
    options: FetcherOptions,
    partitions: ReadonlyMap<string, PartitionState>,
    wake: () => void
  ) {
    this.#cluster = cluster
    this.#options = options
    this.#partitions = partitions
    this.#wake = wake
    this.troubles = options.troubles ?? new Troubles({ logger: options.logger })
  }

  /** Number of the current assignment. */
  get assignment(): number {
    return this.#assignment
  }

  /** Error that ends the reading of this assignment. */
  get failure(): KafkaError | undefined {
    return this.#failure
  }

  /** True while no fetch is sent. */
  get isPaused(): boolean {
    return this.#isPaused
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    this.#isPaused = false
    this.run()
  }

  get maxBufferedBytes(): number {
    return this.#options.maxBufferedBytes ?? defaultMaxBufferedBytes
  }

  /** Size of the buffered batches in bytes. */
  get bufferedBytes(): number {
    let bytes = 0
    for (const state of this.#partitions.values()) bytes += state.bytes
    return bytes
  }

  /** Starts another assignment, whose partitions replace all others. */
  startAssignment(): void {
    this.#assignment++
    this.#failure = undefined
  }

  /** Starts a round for each leader that has partitions with room and no round in flight. */
  run(): void {
    if (this.#failure !== undefined || this.#isPaused) return
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
      this.run()
    })
  }

  #hasRoom({ waiting, bytes }: PartitionState): boolean {
    const room = this.maxBufferedBytes / 2
    const isFull = waiting >= this.#options.maxBufferedRecords || this.bufferedBytes >= room
    return !isFull && (bytes === 0 || bytes < room / this.#partitions.size)
  }

  /**
   * Returns the maximum size of a response that keeps all rounds together within their half of the
   * memory.
   */
  #answerBytes(): number {
    const brokers = Math.max(1, this.#cluster.brokerCount)
    return Math.max(leastAnswerBytes, Math.floor(this.maxBufferedBytes / (2 * maxRoundsOfLeader * brokers)))
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
    this.run()
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
          const offsetBefore = state.fetchOffset
          records += keep(state, answer, this.#options.limits)
          if (state.fetchOffset !== offsetBefore) this.#wake()
          isAll &&= state.fetchOffset >= answer.lastStableOffset
          if (keepDamaged(state, answer, this.#options.logger)) this.#wake()
          this.troubles.end(state)
        } catch (error) {
          this.#hold(assignment, state, error)
        }
      }
    }
    return { records, isAll }
  }

  /**
   * Resumes at the beginning of the log if the records at the position were removed, and records
   * the skipped range.
   */
  async #restart(assignment: number, state: PartitionState): Promise<void> {
    state.held = true
    try {
      const [beginning] = await listOffsets(this.#cluster, [state], offsetAt.beginning)
      if (assignment !== this.#assignment || beginning === undefined) return
      if (state.fetchOffset >= beginning.offset) throw new LogChangedError('LOG_TRUNCATED', changeOf(state))
      const { topic, partition, topicID, fetchOffset } = state
      state.skips = [...state.skips, { topic, partition, topicID, from: fetchOffset, to: beginning.offset }]
      state.fetchOffset = beginning.offset
      state.fetchEpoch = unknownEpoch
      state.end = undefined
      this.#wake()
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
      this.#wake()
      return
    }
    this.#cluster.doubt(topic, partition)
    const pauseMs = this.troubles.note(state, error)
    if ([...this.#partitions.values()].every(each => this.troubles.isRefused(each))) {
      this.#failure = error
      this.#wake()
      return
    }
    state.held = true
    void delay(pauseMs).then(() => this.#release(assignment, state))
    this.#wake() // for callers that wait only for this partition
  }
}
