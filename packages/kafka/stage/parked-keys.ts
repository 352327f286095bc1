import type { Cluster } from '../cluster/cluster.ts'
import type { FetchedRecord } from '../committed-read/fetched-record.ts'
import { beginningOffsets, endOffsets, Fetcher } from '../committed-read/fetcher.ts'
import { readToEnds } from '../committed-read/read-to-ends.ts'
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
import type { Logger, OutputRecord } from '../records.ts'

/**
 * Which keys have a record in the dead-letter topic, so that later records of the same key do not overtake it: they are parked
 * behind it, and other keys go on.
 *
 * The dead-letter topic is the memory: parked records and releases in the order in which they were committed. Who is given
 * partitions reads it through; from then on every parking and release passes here anyway.
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
  readonly failedReplays: Set<string>
  /** How many records were parked since it is parked, those of failed replays included. */
  count: number
}

export class ParkedKeys {
  readonly #stageName: string
  readonly #keys = new Map<string, ParkedKey>()

  constructor(stageName: string) {
    this.#stageName = stageName
  }

  /** Whether a record must be parked because an earlier one of its key is. */
  blocks(key: Buffer | null, replay: string | undefined): boolean {
    const parked = this.#find(key)
    return parked !== undefined && (replay === undefined || parked.failedReplays.has(replay))
  }

  park(key: Buffer | null, replay: string | undefined): void {
    const bounded = boundedKey(key)
    if (bounded === null) return
    const parked = this.#find(bounded) ?? { failedReplays: new Set(), count: 0 }
    parked.count++
    if (replay !== undefined) parked.failedReplays.add(replay)
    this.#keys.set(keyText(bounded), parked)
  }

  /**
   * @param count how many parked records the replay knew of, if it says so
   * @returns whether the key was parked and is not any more
   */
  release(key: Buffer | null, replay: string, count = Number.POSITIVE_INFINITY): boolean {
    const parked = this.#find(key)
    if (key === null || parked === undefined || parked.failedReplays.has(replay) || parked.count > count) return false
    return this.#keys.delete(keyText(key))
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

  get size(): number {
    return this.#keys.size
  }

  #find(key: Buffer | null): ParkedKey | undefined {
    const bounded = this.#keys.size === 0 ? null : boundedKey(key)
    return bounded === null ? undefined : this.#keys.get(keyText(bounded))
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

/**
 * Reads the dead-letter topics of these topics through, waiting for transactions in them that have not ended: the offsets behind a
 * parked record can be committed a moment before the record itself is, as each partition learns of the end by itself.
 * @throws KafkaError, or the signal's reason
 */
export async function loadParkedKeys(
  cluster: Cluster,
  topics: readonly string[],
  stageName: string,
  options: { readonly logger: Logger; readonly signal: AbortSignal }
): Promise<Map<string, ParkedKeys>> {
  const { logger, signal } = options
  const parked = new Map(topics.map(topic => [deadLetterTopic(topic), new ParkedKeys(stageName)]))
  const partitions: { topic: string; partition: number }[] = []
  for (const topic of parked.keys()) {
    for (const partition of (await cluster.partitions(topic)).keys()) partitions.push({ topic, partition })
  }
  const beginnings = await beginningOffsets(cluster, partitions)
  const ends = await endOffsets(cluster, partitions)
  const fetcher = new Fetcher(cluster, { maxBufferedRecords: 10_000, logger })
  fetcher.assign(beginnings.filter(({ offset }, index) => offset < (ends[index]?.offset ?? 0n)))
  try {
    const onRecords = (records: readonly FetchedRecord[]) => {
      for (const record of records) parked.get(record.topic)?.remember(record)
    }
    await readToEnds(fetcher, ends, { onRecords, signal })
  } finally {
    fetcher.stop()
  }
  return new Map(topics.map(topic => [topic, parked.get(deadLetterTopic(topic)) as ParkedKeys]))
}
