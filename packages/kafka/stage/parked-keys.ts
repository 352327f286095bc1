import type { Cluster } from '../cluster/cluster.ts'
import type { FetchedRecord } from '../committed-read/batch-records.ts'
import { beginningOffsets, endOffsets, Fetcher, type PartitionPosition } from '../committed-read/fetcher.ts'
import type { Logger, OutputRecord } from '../records.ts'
import { deadLetterTopic } from './dead-letters.ts'

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
 */
export const replayHeader = 'dlq-replay'
export const releaseHeader = 'dlq-release'
export const stageHeader = 'dlq-stage'
export const parkedCountHeader = 'dlq-parked'
export const refusalHeader = 'dlq-release-refused'

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
  blocks(key: string, replay: string | undefined): boolean {
    const parked = this.#keys.get(key)
    return parked !== undefined && (replay === undefined || parked.failedReplays.has(replay))
  }

  park(key: string, replay: string | undefined): void {
    const parked = this.#keys.get(key) ?? { failedReplays: new Set(), count: 0 }
    parked.count++
    if (replay !== undefined) parked.failedReplays.add(replay)
    this.#keys.set(key, parked)
  }

  /**
   * @param count how many parked records the replay knew of, if it says so
   * @returns whether the key was parked and is not any more
   */
  release(key: string, replay: string, count = Number.POSITIVE_INFINITY): boolean {
    const parked = this.#keys.get(key)
    if (parked === undefined || parked.failedReplays.has(replay) || parked.count > count) return false
    return this.#keys.delete(key)
  }

  /** 0 for a key that is not parked. */
  count(key: string): number {
    return this.#keys.get(key)?.count ?? 0
  }

  /** A record of the dead-letter topic, as they follow each other there. */
  remember(record: FetchedRecord): void {
    if (headerOf(record, stageHeader) !== this.#stageName) return
    const key = record.key?.toString() ?? ''
    const released = headerOf(record, releaseHeader)
    if (record.value === null && headerOf(record, refusalHeader) !== undefined) return
    if (record.value === null && released !== undefined) this.release(key, released)
    else this.park(key, headerOf(record, replayHeader))
  }

  get size(): number {
    return this.#keys.size
  }
}

/** What the dead-letter topic is told of a release, in the transaction in which it takes place, or does not. */
export function answerToRelease(
  { topic, key, replay, isReleased }: { topic: string; key: string; replay: string; isReleased: boolean },
  stageName: string
): OutputRecord {
  return {
    topic: deadLetterTopic(topic),
    key,
    value: null,
    headers: { [isReleased ? releaseHeader : refusalHeader]: replay, [stageHeader]: stageName }
  }
}

/** Whether a record is part of a replay (or a release) of what another stage had parked. */
export function isForAnotherStage(record: FetchedRecord, stageName: string): boolean {
  if (!record.headers.has(replayHeader) && !record.headers.has(releaseHeader)) return false
  return headerOf(record, stageHeader) !== stageName
}

export function headerOf(record: FetchedRecord, name: string): string | undefined {
  return record.headers.text(name)
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
  const ends = new Map(
    (await endOffsets(cluster, partitions)).map(({ topic, partition, offset }) => [`${topic}/${partition}`, offset])
  )
  const fetcher = new Fetcher(cluster, { maxBufferedRecords: 10_000, logger })
  const isBefore = ({ topic, partition, offset }: PartitionPosition) =>
    offset < (ends.get(`${topic}/${partition}`) as bigint)
  const onAbort = () => fetcher.wake()
  signal.addEventListener('abort', onAbort)
  fetcher.assign(beginnings.filter(isBefore))
  try {
    while (fetcher.hasRecords() || fetcher.positions().some(isBefore)) {
      signal.throwIfAborted()
      for (const record of await fetcher.take(10_000)) parked.get(record.topic)?.remember(record)
    }
  } finally {
    signal.removeEventListener('abort', onAbort)
    fetcher.stop()
  }
  return new Map(topics.map(topic => [topic, parked.get(deadLetterTopic(topic)) as ParkedKeys]))
}
