import type { FetchedRecord } from '../committed-read/fetched-record.ts'
import { ParkedKeys } from '../stage/parked-keys.ts'
import { addedHeaders, refusalHeader, releaseHeader, stageHeader } from './headers.ts'
import { keyText } from './key.ts'
import { compareOrigins, type DeadLetter, isCopy, placeOf, toLetter } from './letter.ts'
import { readMark } from './operation.ts'

/** A key with dead letters. */
export interface LetterKey {
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
  readonly letters: readonly DeadLetter[]
  readonly underWay: UnderWay | undefined
  /** Number of dead letters that the stage counts for the key; 0 if the key is not blocked. */
  readonly parkedCount: number
}

export interface UnderWay {
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
  readonly letters: Map<string, DeadLetter>
  readonly sources: Set<string>
  underWay: UnderWay | undefined
}

/**
 * State of dead letters, derived from the records of dead-letter topics.
 *
 * A dead letter is **pending** until an operation (a replay or a drop) names it. A record that
 * fails again in a replay becomes a new dead letter. An operation on a key is **in flight**
 * (`underWay`) from its start until the stage has answered its release. Until then it is unknown
 * which records will fail again, so nothing may be replayed past them.
 */
export class DeadLetterBook {
  readonly #keys = new Map<string, KeyState>()
  readonly #parked = new Map<string, ParkedKeys>()
  readonly #answers = new Map<string, ReleaseAnswer>()

  /** Applies a record. The records of each partition must be passed in offset order. */
  add(record: FetchedRecord): void {
    const mark = readMark(record)
    if (mark !== undefined) {
      for (const place of [...mark.replayed, ...mark.dropped]) {
        const state = this.#state(record, mark.stage, place)
        state.letters.delete(place)
        state.underWay = mark.state === 'done' ? undefined : { name: mark.name, isOpen: mark.state === 'open' }
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
    this.#parkedKeys(record.topic, stage).remember(record)
    const released = added.text(releaseHeader)
    const answered = released ?? added.text(refusalHeader)
    if (answered !== undefined) {
      const state = this.#state(record, stage, '')
      if (state.underWay?.name !== answered) return
      state.underWay = undefined
      this.#answers.set(`${state.id} ${answered}`, released === undefined ? 'refused' : 'released')
      return
    }
    this.#wait(record)
  }

  #wait(record: FetchedRecord): void {
    const letter = toLetter(record)
    const state = this.#state(record, letter.stage, placeOf(letter))
    // An at-least-once stage may write a second dead letter for the same record after a crash.
    const source = `${letter.source.topic}/${letter.source.partition}/${letter.source.offset}`
    if (letter.source.topic !== '' && state.sources.has(source)) return
    state.sources.add(source)
    state.letters.set(placeOf(letter), letter)
  }

  /**
   * Returns the keys with pending dead letters or an unfinished operation; the one with the oldest
   * dead letter first.
   */
  keys(): LetterKey[] {
    return [...this.#keys.values()]
      .filter(({ letters, underWay }) => letters.size > 0 || underWay !== undefined)
      .map(({ id, topic, stage, key, letters, underWay }) => ({
        id,
        topic,
        stage,
        key,
        letters: [...letters.values()].toSorted(compareOrigins),
        underWay,
        parkedCount: this.#parkedKeys(topic, stage).count(key)
      }))
      .toSorted((a, b) => (a.letters[0]?.timestampMs ?? 0) - (b.letters[0]?.timestampMs ?? 0))
  }

  /** Returns the stage's answer to an operation; undefined while there is none. */
  answer(keyID: string, operation: string): ReleaseAnswer | undefined {
    return this.#answers.get(`${keyID} ${operation}`)
  }

  #parkedKeys(topic: string, stage: string): ParkedKeys {
    const name = `${topic} ${stage}`
    const parked = this.#parked.get(name) ?? new ParkedKeys(stage)
    this.#parked.set(name, parked)
    return parked
  }

  /** @param place position of a dead letter, which identifies one without a key */
  #state({ topic, key }: FetchedRecord, stage: string, place: string): KeyState {
    const id = `${topic} ${stage} ${key === null ? `at ${place}` : `key ${keyText(key)}`}`
    let state = this.#keys.get(id)
    if (state === undefined) {
      const own = key && Buffer.from(key) // a view would keep the whole fetched batch in memory
      state = { id, topic, stage, key: own, letters: new Map(), sources: new Set(), underWay: undefined }
      this.#keys.set(id, state)
    }
    return state
  }
}
