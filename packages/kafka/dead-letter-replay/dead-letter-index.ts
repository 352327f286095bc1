import { BlockedKeys } from '../dead-letters/blocked-keys.ts'
import { addedHeaders, refusalHeader, releaseHeader, stageHeader } from '../dead-letters/headers.ts'
import { keyText } from '../dead-letters/key.ts'
import type { FetchedRecord } from '../fetch/fetched-record.ts'
import { compareOrigins, type DeadLetter, isCopy, parseDeadLetter, placeOf } from './dead-letter.ts'
import { readMark } from './operation.ts'

/** A key with dead letters. */
export interface DeadLetterKey {
  /** Id, unique in a book. */
  readonly id: string
  /** Name of the dead-letter topic. */
  readonly topic: string
  readonly stage: string
  /**
   * Bounded key (key.ts). Each dead letter with a null key forms a separate entry, because it has
   * no order with others.
   */
  readonly key: Buffer | null
  /** Pending dead letters, in the original order of their records. */
  readonly deadLetters: readonly DeadLetter[]
  readonly inFlight: InFlight | undefined
  /** Number of dead letters that the stage counts for the key; 0 if the key is not blocked. */
  readonly blockingCount: number
}

/** Operation on a key that has begun and not ended. */
export interface InFlight {
  readonly name: string
  /**
   * True if the operation was interrupted after a part of it; it must be resumed under the same
   * name.
   */
  readonly isOpen: boolean
}

/** Outcome of the release of an operation. */
export type ReleaseAnswer = 'released' | 'refused'

interface KeyState {
  readonly id: string
  readonly topic: string
  readonly stage: string
  readonly key: Buffer | null
  readonly deadLetters: Map<string, DeadLetter>
  readonly sources: Set<string>
  inFlight: InFlight | undefined
}

/**
 * State of dead letters, derived from the records of dead-letter topics.
 *
 * A dead letter is **pending** until an operation (a replay or a drop) names it. A record that
 * fails again in a replay becomes a new dead letter. An operation on a key is **in flight**
 * (`inFlight`) from its start until the stage has answered its release. Until then it is unknown
 * which records will fail again, so nothing may be replayed past them.
 */
export class DeadLetterIndex {
  readonly #keys = new Map<string, KeyState>()
  readonly #deadLettered = new Map<string, BlockedKeys>()
  readonly #answers = new Map<string, ReleaseAnswer>()

  /** Applies a record. The records of each partition must be passed in offset order. */
  add(record: FetchedRecord): void {
    const mark = readMark(record)
    if (mark !== undefined) {
      for (const position of [...mark.replayed, ...mark.dropped]) {
        const state = this.#state(record, mark.stage, position)
        state.deadLetters.delete(position)
        state.inFlight = mark.state === 'done' ? undefined : { name: mark.name, isOpen: mark.state === 'open' }
      }
      return
    }
    if (isCopy(record)) {
      this.#wait(record)
      return
    }
    const added = addedHeaders(record)
    const stage = added?.text(stageHeader)
    if (added === undefined || stage === undefined) return
    this.#blockedKeys(record.topic, stage).remember(record)
    const released = added.text(releaseHeader)
    const answered = released ?? added.text(refusalHeader)
    if (answered !== undefined) {
      const state = this.#state(record, stage, '')
      if (state.inFlight?.name !== answered) return
      state.inFlight = undefined
      this.#answers.set(`${state.id} ${answered}`, released === undefined ? 'refused' : 'released')
      return
    }
    this.#wait(record)
  }

  #wait(record: FetchedRecord): void {
    const deadLetter = parseDeadLetter(record)
    const state = this.#state(record, deadLetter.stage, placeOf(deadLetter))
    // An at-least-once stage may write a second dead letter for the same record after a crash.
    const source = `${deadLetter.source.topic}/${deadLetter.source.partition}/${deadLetter.source.offset}`
    if (deadLetter.source.topic !== '' && state.sources.has(source)) return
    state.sources.add(source)
    state.deadLetters.set(placeOf(deadLetter), deadLetter)
  }

  /**
   * Returns the keys with pending dead letters or an unfinished operation; the one with the oldest
   * dead letter first.
   */
  keys(): DeadLetterKey[] {
    return [...this.#keys.values()]
      .filter(({ deadLetters, inFlight }) => deadLetters.size > 0 || inFlight !== undefined)
      .map(({ id, topic, stage, key, deadLetters, inFlight }) => ({
        id,
        topic,
        stage,
        key,
        deadLetters: [...deadLetters.values()].toSorted(compareOrigins),
        inFlight,
        blockingCount: this.#blockedKeys(topic, stage).count(key)
      }))
      .toSorted((a, b) => (a.deadLetters[0]?.timestampMs ?? 0) - (b.deadLetters[0]?.timestampMs ?? 0))
  }

  /** Returns the stage's answer to an operation; undefined while there is none. */
  answer(keyID: string, operation: string): ReleaseAnswer | undefined {
    return this.#answers.get(`${keyID} ${operation}`)
  }

  #blockedKeys(topic: string, stage: string): BlockedKeys {
    const name = `${topic} ${stage}`
    const deadLettered = this.#deadLettered.get(name) ?? new BlockedKeys(stage)
    this.#deadLettered.set(name, deadLettered)
    return deadLettered
  }

  /** @param position position of a dead letter, which identifies one without a key */
  #state({ topic, key }: FetchedRecord, stage: string, position: string): KeyState {
    const id = `${topic} ${stage} ${key === null ? `at ${position}` : `key ${keyText(key)}`}`
    let state = this.#keys.get(id)
    if (state === undefined) {
      const own = key && Buffer.from(key) // a view would keep the whole fetched batch in memory
      state = { id, topic, stage, key: own, deadLetters: new Map(), sources: new Set(), inFlight: undefined }
      this.#keys.set(id, state)
    }
    return state
  }
}
