import type { FetchedRecord } from '../committed-read/fetched-record.ts'
import {
  addedHeaders,
  addHeaders,
  refusalHeader,
  releaseHeader,
  replayHeader,
  stageHeader
} from '../dead-letters/headers.ts'
import { boundedKey, keyText } from '../dead-letters/key.ts'
import { deadLetterTopic } from '../dead-letters/topics.ts'
import type { OutputRecord } from '../records.ts'

/**
 * Which keys have a record in the dead-letter topic, so that later records of the same key do not overtake it: they are parked
 * behind it, and other keys go on.
 *
 * The dead-letter topic is the memory: parked records and releases in the order in which they were committed. An instance that is given
 * partitions reads it up to its end (blocked-key-index.ts); from then on every parking and release passes here.
 *
 * A replay sends the parked records of a key to the topic they came from again, in their order, each with the header `dlq-replay`
 * naming the replay, and behind them a **release**: the key without a value, with the header `dlq-release` naming the same
 * replay. Records of a replay pass although their key is parked, until one of them fails again: then the rest of that replay, and
 * its release, have failed too.
 *
 * A release says how many records had been parked for the key when its replay was made (`dlq-parked`). One that was parked since
 * is not in the replay, and must not be overtaken by what comes behind the release: then the key stays parked. Every release is
 * answered in the dead-letter topic, by a release marker or by a **refusal**, so that whoever replays knows what became of it.
 *
 * Several stages may read one topic and share its dead-letter topic, so all of this concerns one stage only, named by the header
 * `dlq-stage`, which a replay and a release carry too: the other stages have had these records before, and pass over them.
 *
 * Keys are compared as bytes. A record with a null key has no order with others, so it blocks none and none blocks it.
 */
interface ParkedKey {
  /** The replays of it that have failed again. */
  readonly failedReplays: ReadonlySet<string>
  /** How many records were parked since it is parked, those of failed replays included. */
  readonly count: number
}

/** Most keys share it: a set for each would take most of their memory. */
const noReplays: ReadonlySet<string> = new Set()

export class ParkedKeys {
  readonly #stageName: string
  readonly #base: ParkedKeys | undefined
  /** Undefined: a key of the base that was released since. */
  readonly #keys = new Map<string, ParkedKey | undefined>()

  /** @param base keys to begin with. They are not copied, and must not change while this is used. */
  constructor(stageName: string, base?: ParkedKeys) {
    this.#stageName = stageName
    this.#base = base
  }

  /** Returns whether a record must be parked because an earlier one of its key is. */
  blocks(key: Buffer | null, replay: string | undefined): boolean {
    const parked = this.#find(key)
    return parked !== undefined && (replay === undefined || parked.failedReplays.has(replay))
  }

  park(key: Buffer | null, replay: string | undefined): void {
    const bounded = boundedKey(key)
    if (bounded === null) return
    const { failedReplays = noReplays, count = 0 } = this.#find(bounded) ?? {}
    const failed = replay === undefined ? failedReplays : new Set([...failedReplays, replay])
    this.#keys.set(keyText(bounded), { failedReplays: failed, count: count + 1 })
  }

  /**
   * @param count how many parked records the replay knew of, if it says so
   * @returns whether the key was parked and is not any more
   */
  release(key: Buffer | null, replay: string, count = Number.POSITIVE_INFINITY): boolean {
    const bounded = boundedKey(key)
    const parked = this.#find(key)
    if (bounded === null || parked === undefined) return false
    if (parked.failedReplays.has(replay) || parked.count > count) return false
    const text = keyText(bounded)
    if (this.#base === undefined) this.#keys.delete(text)
    else this.#keys.set(text, undefined)
    return true
  }

  /** 0 for a key that is not parked. */
  count(key: Buffer | null): number {
    return this.#find(key)?.count ?? 0
  }

  /** A record of the dead-letter topic, as they follow each other there. */
  remember(record: FetchedRecord): void {
    const added = addedHeaders(record)
    if (added?.text(stageHeader) !== this.#stageName) return
    const released = added.text(releaseHeader)
    if (added.text(refusalHeader) !== undefined) return
    if (released !== undefined) this.release(record.key, released)
    else this.park(record.key, added.text(replayHeader))
  }

  /** Returns the parked keys as text (`keyText`), without those of the base. */
  *keys(): Iterable<string> {
    for (const [text, parked] of this.#keys) if (parked !== undefined) yield text
  }

  /** Returns true when no key is parked; false also when all keys of the base were released. */
  get isEmpty(): boolean {
    return this.#keys.size === 0 && this.#base?.isEmpty !== false
  }

  #find(key: Buffer | null): ParkedKey | undefined {
    const bounded = this.isEmpty ? null : boundedKey(key)
    return bounded === null ? undefined : this.#get(keyText(bounded))
  }

  #get(text: string): ParkedKey | undefined {
    return this.#base === undefined || this.#keys.has(text) ? this.#keys.get(text) : this.#base.#get(text)
  }
}

/** What the dead-letter topic is told of a release, in the transaction in which it takes place, or does not. */
export function answerToRelease(
  { topic, key, replay, isReleased }: { topic: string; key: Buffer | null; replay: string; isReleased: boolean },
  stageName: string
): OutputRecord {
  return {
    topic: deadLetterTopic(topic),
    key,
    value: null,
    headers: addHeaders([], { [isReleased ? releaseHeader : refusalHeader]: replay, [stageHeader]: stageName })
  }
}
