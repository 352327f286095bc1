import { Cluster } from '../cluster/cluster.ts'
import type { KafkaConnection } from '../connection.ts'
import { KafkaError } from '../errors.ts'
import type { FetchPace } from '../fetch/fetch-rounds.ts'
import { beginningOffsets, Fetcher } from '../fetch/fetcher.ts'
import { type RecordedRecord, toRecorded } from './in-memory-broker.ts'

/**
 * Reads topics from their beginning with `read_committed` and without a group, until `enough`
 * returns true. `enough` is called before each poll and after the last one, with all records that were read.
 *
 * @throws the signal's reason when it is aborted before that
 */
export async function readCommitted(
  connection: KafkaConnection,
  topics: string | readonly string[],
  enough: (records: readonly RecordedRecord[]) => boolean,
  options: { readonly signal?: AbortSignal; readonly maxPartitionBytes?: number; readonly pace?: FetchPace } = {}
): Promise<RecordedRecord[]> {
  const { signal = AbortSignal.timeout(30_000), maxPartitionBytes, pace } = options
  const cluster = new Cluster(connection, { requestTimeoutMs: 5_000 })
  const logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
  const fetcher = new Fetcher(cluster, {
    maxBufferedRecords: 10_000,
    logger,
    ...(maxPartitionBytes && { maxPartitionBytes }),
    ...(pace && { pace })
  })
  const onAbort = () => fetcher.wake()
  signal.addEventListener('abort', onAbort)
  try {
    const partitions: { topic: string; partition: number }[] = []
    for (const topic of [topics].flat()) {
      const found = await whileRetryable(cluster, signal, () => cluster.partitions(topic))
      for (const partition of found.keys()) partitions.push({ topic, partition })
    }
    fetcher.assign(await whileRetryable(cluster, signal, () => beginningOffsets(cluster, partitions)))
    const records: RecordedRecord[] = []
    while (!enough(records)) {
      signal.throwIfAborted()
      records.push(...(await fetcher.take(10_000)).map(toRecorded))
    }
    return records
  } finally {
    signal.removeEventListener('abort', onAbort)
    fetcher.stop()
    await cluster.close()
  }
}

/** Retries, because a topic that was just created is not known to every broker yet. */
async function whileRetryable<Result>(
  cluster: Cluster,
  signal: AbortSignal,
  ask: () => Promise<Result>
): Promise<Result> {
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof KafkaError) || !error.retryable) throw error
      cluster.forget()
      await new Promise(resolve => setTimeout(resolve, 50))
    }
  }
}
