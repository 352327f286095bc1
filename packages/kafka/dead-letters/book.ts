import type { FetchedRecord } from '../committed-read/fetched-record.ts'
import { ParkedKeys } from '../stage/parked-keys.ts'
import { addedHeaders, refusalHeader, releaseHeader, stageHeader } from './headers.ts'
import { keyText } from './key.ts'
import { compareOrigins, type DeadLetter, isCopy, placeOf, toLetter } from './letter.ts'
import { readMark } from './operation.ts'

/**
 * What a dead-letter topic says, record by record: which letters are still to be dealt with, and what is under way.
 *
 * A letter is **waiting** from when it was parked until an operation (a replay or a drop) names it. What fails again in a replay is
 * parked again, as a letter of its own. A key is **under way** from when an operation released it (or began to replay it) until
 * its stage has answered; until then nobody knows what will come back, so nothing may be replayed past it.
 */
export interface LetterKey {
  /** Unique in a book. */
  readonly id: string
  /** The dead-letter topic. */
  readonly topic: string
  readonly stage: string
  /** The bounded key (key.ts). A letter with a null key is alone: it has no order with others. */
  readonly key: Buffer | null
  /** Those that are waiting, in the order in which the records were written first. */
  readonly letters: readonly DeadLetter[]
  readonly underWay: UnderWay | undefined
  /** How many records the stage knows to be parked; 0 when the key is not. */
  readonly parkedCount: number
}

export interface UnderWay {
  readonly name: string
  /** Not all of it was written: the operation was interrupted, and has to be gone on with under the same name. */
  readonly isOpen: boolean
}

/** What became of the release of an operation. */
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

export class DeadLetterBook {
  readonly #keys = new Map<string, KeyState>()
  readonly #parked = new Map<string, ParkedKeys>()
  readonly #answers = new Map<string, ReleaseAnswer>()

  /** The records of each partition in the order of their offsets. */
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
    // Who delivers at least once may park the same record again after a crash.
    const source = `${letter.source.topic}/${letter.source.partition}/${letter.source.offset}`
    if (letter.source.topic !== '' && state.sources.has(source)) return
    state.sources.add(source)
    state.letters.set(placeOf(letter), letter)
  }

  /** Returns the keys with waiting letters or an unfinished operation; the one that waits longest first. */
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

  /** Undefined while the stage has not answered. */
  answer(keyID: string, operation: string): ReleaseAnswer | undefined {
    return this.#answers.get(`${keyID} ${operation}`)
  }

  #parkedKeys(topic: string, stage: string): ParkedKeys {
    const name = `${topic} ${stage}`
    const parked = this.#parked.get(name) ?? new ParkedKeys(stage)
    this.#parked.set(name, parked)
    return parked
  }

  /** @param place of a letter; it identifies one that has no key */
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
