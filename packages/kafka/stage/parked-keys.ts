import type { Cluster } from '../cluster/cluster.ts'
import {
  beginningOffsets,
  endOffsets,
  type FetchedRecord,
  Fetcher,
  type PartitionPosition
} from '../committed-read/fetcher.ts'
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
 * Several stages may read one topic and share its dead-letter topic, so all of this concerns one stage only, named by the header
 * `dlq-stage`, which a replay and a release carry too: the other stages have had these records before, and pass over them.
 */
export const replayHeader = 'dlq-replay'
export const releaseHeader = 'dlq-release'
export const stageHeader = 'dlq-stage'

export class ParkedKeys {
  readonly #stageName: string
  /** The replays of each parked key that have failed again. */
  readonly #failedReplays = new Map<string, Set<string>>()

  constructor(stageName: string) {
    this.#stageName = stageName
  }

  /** Whether a record must be parked because an earlier one of its key is. */
  blocks(key: string, replay: string | undefined): boolean {
    const failed = this.#failedReplays.get(key)
    return failed !== undefined && (replay === undefined || failed.has(replay))
  }

  park(key: string, replay: string | undefined): void {
    const failed = this.#failedReplays.get(key) ?? new Set()
    if (replay !== undefined) failed.add(replay)
    this.#failedReplays.set(key, failed)
  }

  /** @returns whether the key was parked and is not any more */
  release(key: string, replay: string): boolean {
    if (this.#failedReplays.get(key)?.has(replay) === true) return false
    return this.#failedReplays.delete(key)
  }

  /** A record of the dead-letter topic, as they follow each other there. */
  remember(record: FetchedRecord): void {
    if (headerOf(record, stageHeader) !== this.#stageName) return
    const key = record.key?.toString() ?? ''
    const released = headerOf(record, releaseHeader)
    if (record.value === null && released !== undefined) this.release(key, released)
    else this.park(key, headerOf(record, replayHeader))
  }

  get size(): number {
    return this.#failedReplays.size
  }
}

/** What the dead-letter topic is told when a key is released, in the transaction that releases it. */
export function toReleaseMarker(topic: string, key: string, replay: string, stageName: string): OutputRecord {
  return {
    topic: deadLetterTopic(topic),
    key,
    value: null,
    headers: { [releaseHeader]: replay, [stageHeader]: stageName }
  }
}

/** Whether a record is part of a replay (or a release) of what another stage had parked. */
export function isForAnotherStage(record: FetchedRecord, stageName: string): boolean {
  if (headerOf(record, replayHeader) === undefined && headerOf(record, releaseHeader) === undefined) return false
  return headerOf(record, stageHeader) !== stageName
}

export function headerOf(record: FetchedRecord, name: string): string | undefined {
  const found = record.headers.find(([header]) => header?.toString() === name)
  return found?.[1]?.toString()
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
