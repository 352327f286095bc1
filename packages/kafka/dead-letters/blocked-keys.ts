import type { FetchedRecord } from '../fetch/fetched-record.ts'
import type { OutputRecord } from '../records.ts'
import { addedHeaders, addHeaders, refusalHeader, releaseHeader, replayHeader, stageHeader } from './headers.ts'
import { boundedKey, keyText } from './key.ts'
import { deadLetterTopic } from './topics.ts'

/**
 * The blocked keys of one topic: keys with records in the dead-letter topic. Later records with a
 * blocked key must not overtake those, so they also become dead letters; other keys continue.
 *
 * The dead-letter topic is the durable state: dead letters and releases, in commit order. An
 * instance that is assigned partitions reads the topic up to its end (blocked-key-index.ts). From
 * then on this class tracks every dead letter and release.
 *
 * A replay writes the dead letters of a key to their original topic again, in order, each with the
 * header `dlq-replay` naming the replay. A **release** follows: the key with a null value and the
 * header `dlq-release` naming the same replay. Records of a replay pass although their key is
 * blocked, until one of them fails again. Then the rest of that replay, and its release, have
 * failed too.
 *
 * The header `dlq-parked` of a release is the number of dead letters that the key had when the
 * replay was made. If there are more by now, the key stays blocked: the additional ones are not in
 * the replay, and records after the release must not overtake them. The stage answers every release
 * in the dead-letter topic with a release mark or a **refusal**, which the replaying program reads.
 *
 * Several stages may read one topic and share its dead-letter topic. Blocked keys therefore belong
 * to one stage, named by the header `dlq-stage` of dead letters, replays and releases. Other stages
 * have processed these records before and skip them.
 *
 * Keys are compared as bytes. Records with a null key have no order among them, so they neither
 * block nor are blocked.
 */
interface BlockedKey {
  /** Replays of this key that have failed again. */
  readonly failedReplays: ReadonlySet<string>
  /** Number of dead letters since the key was blocked, including those of failed replays. */
  readonly count: number
}

/** Empty set shared by most keys; a separate set for each would take most of their memory. */
const noReplays: ReadonlySet<string> = new Set()

export class BlockedKeys {
  readonly #stageName: string
  readonly #base: BlockedKeys | undefined
  /** State of each key; undefined for a key of the base that was released since. */
  readonly #keys = new Map<string, BlockedKey | undefined>()

  /**
   * @param base initial keys. They are not copied and must not change while this object is in use.
   */
  constructor(stageName: string, base?: BlockedKeys) {
    this.#stageName = stageName
    this.#base = base
  }

  /** Returns true if a record must become a dead letter because an earlier one with its key is. */
  blocks(key: Buffer | null, replay: string | undefined): boolean {
    const deadLettered = this.#find(key)
    return deadLettered !== undefined && (replay === undefined || deadLettered.failedReplays.has(replay))
  }

  writeDeadLetter(key: Buffer | null, replay: string | undefined): void {
    const bounded = boundedKey(key)
    if (bounded === null) return
    const { failedReplays = noReplays, count = 0 } = this.#find(bounded) ?? {}
    const failed = replay === undefined ? failedReplays : new Set([...failedReplays, replay])
    this.#keys.set(keyText(bounded), { failedReplays: failed, count: count + 1 })
  }

  /**
   * Unblocks a key after a replay.
   * @param count number of dead letters that the replay contains, if known
   * @returns true if the key was blocked and is not any more
   */
  release(key: Buffer | null, replay: string, count = Number.POSITIVE_INFINITY): boolean {
    const bounded = boundedKey(key)
    const deadLettered = this.#find(key)
    if (bounded === null || deadLettered === undefined) return false
    if (deadLettered.failedReplays.has(replay) || deadLettered.count > count) return false
    const text = keyText(bounded)
    if (this.#base === undefined) this.#keys.delete(text)
    else this.#keys.set(text, undefined)
    return true
  }

  /** Returns the number of dead letters of a key; 0 if the key is not blocked. */
  count(key: Buffer | null): number {
    return this.#find(key)?.count ?? 0
  }

  /** Applies a record of the dead-letter topic. Records must be passed in log order. */
  remember(record: FetchedRecord): void {
    const added = addedHeaders(record)
    if (added?.text(stageHeader) !== this.#stageName) return
    const released = added.text(releaseHeader)
    if (added.text(refusalHeader) !== undefined) return
    if (released !== undefined) this.release(record.key, released)
    else this.writeDeadLetter(record.key, added.text(replayHeader))
  }

  /** Returns the blocked keys as text (`keyText`), without those of the base. */
  *keys(): Iterable<string> {
    for (const [text, deadLettered] of this.#keys) if (deadLettered !== undefined) yield text
  }

  /**
   * Returns true when no key is blocked. Returns false if the base had keys, even when all of them
   * were released.
   */
  get isEmpty(): boolean {
    return this.#keys.size === 0 && this.#base?.isEmpty !== false
  }

  #find(key: Buffer | null): BlockedKey | undefined {
    const bounded = this.isEmpty ? null : boundedKey(key)
    return bounded === null ? undefined : this.#get(keyText(bounded))
  }

  #get(text: string): BlockedKey | undefined {
    return this.#base === undefined || this.#keys.has(text) ? this.#keys.get(text) : this.#base.#get(text)
  }
}

/**
 * Returns the answer to a release for the dead-letter topic: a release mark or a refusal, written
 * in the transaction that decides it.
 */
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
