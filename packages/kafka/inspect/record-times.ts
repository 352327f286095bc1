import type { Cluster } from '../cluster/cluster.ts'
import { askTimes, type PlaceAtTime, type TimedOffset } from '../cluster/list-offsets.ts'
import { partitionKey, type TopicPartition } from '../types.ts'

const firstStepMs = 1_000
/** Maximum number of rounds of a search; one over 100 years needs fewer. */
const maxRounds = 100

/**
 * Searches for the time of the first record at a position or after it: back from now in growing
 * steps, then by bisection.
 *
 * Brokers return the first record that was written at a given time or later (ListOffsets). The
 * later the time, the higher the offset, so a search over time finds the time of a position. If
 * timestamps are not in order, it finds the latest timestamp up to the position.
 */
export class TimeSearch {
  readonly #position: bigint
  #stepMs = firstStepMs
  /** Time whose first record precedes the position. */
  #lowMs: number | undefined
  /** Time whose first record follows the position, or does not exist yet. */
  #highMs: number
  #nextTimestampMs: number | undefined
  #resultMs: number | undefined

  constructor(position: bigint, nowMs: number) {
    this.#position = position
    this.#highMs = nowMs + 1
  }

  /** Undefined until the search has ended. */
  get resultMs(): number | undefined {
    return this.#resultMs
  }

  /** Time to ask for next. */
  get questionMs(): number {
    if (this.#lowMs === undefined) return Math.max(0, this.#highMs - this.#stepMs)
    return Math.floor((this.#lowMs + this.#highMs) / 2)
  }

  /**
   * Notes an answer of the broker.
   * @param first first record that was written at the time of the question or later
   */
  note(first: TimedOffset | undefined): void {
    if (first?.offset === this.#position) {
      this.#resultMs = first.timestampMs
      return
    }
    if (first !== undefined && first.offset < this.#position) this.#lowMs = first.timestampMs
    else {
      this.#highMs = this.questionMs
      this.#stepMs *= 2
      this.#nextTimestampMs = first?.timestampMs ?? this.#nextTimestampMs
    }
    if (this.#highMs - (this.#lowMs ?? -1) <= 1) this.#resultMs = this.#lowMs ?? this.#nextTimestampMs ?? 0
  }
}

/**
 * Returns when the records at the positions were written, by `topic/partition`. Omits partitions
 * that cannot be queried. It needs only the permission to describe a topic, because it reads no
 * record.
 */
export async function recordTimes(
  cluster: Cluster,
  positions: readonly (TopicPartition & { readonly offset: bigint })[],
  nowMs: number
): Promise<ReadonlyMap<string, number>> {
  const searches = new Map(
    positions.map(own => [partitionKey(own), { own, search: new TimeSearch(own.offset, nowMs) }])
  )
  const times = new Map<string, number>()
  for (let round = 0; searches.size > 0 && round < maxRounds; round++) {
    const questions: PlaceAtTime[] = [...searches.values()].map(({ own: { topic, partition }, search }) => ({
      ...{ topic, partition, timeMs: search.questionMs }
    }))
    const answers = await askTimes(cluster, questions)
    for (const [key, { search }] of searches) {
      const answer = answers.get(key)
      if (answer !== undefined) search.note(answer === 'none' ? undefined : answer)
      if (search.resultMs !== undefined) times.set(key, search.resultMs)
      if (answer === undefined || search.resultMs !== undefined) searches.delete(key)
    }
  }
  return times
}
