import { Cluster } from '../cluster/cluster.ts'
import { listOffsets, offsetAt } from '../cluster/list-offsets.ts'
import type { FetchedRecord } from '../committed-read/batch-records.ts'
import { Fetcher, type PartitionPosition } from '../committed-read/fetcher.ts'
import type { KafkaConnection } from '../connection.ts'

/** Reads topics from their beginning, as far as they go at the moment, and on from there as often as it is asked. */
export interface TopicReader {
  /**
   * Gives every record that was committed before the call and was not given yet.
   * @throws KafkaError, or the signal's reason
   */
  readOn(onRecord: (record: FetchedRecord) => void, signal: AbortSignal): Promise<void>
  /** As `readOn`, in batches: the next one is taken when the promise for the one before has resolved. */
  readBatches(onBatch: (records: readonly FetchedRecord[]) => void | Promise<void>, signal: AbortSignal): Promise<void>
  /** The ranges of offsets that have been read, by partition: from `offset` to before `end`. */
  ranges(): readonly (PartitionPosition & { readonly end: bigint })[]
  close(): Promise<void>
}

const requestTimeoutMs = 5_000
const recordsAtOnce = 10_000

export function createTopicReader(connection: KafkaConnection, topics: readonly string[]): TopicReader {
  const cluster = new Cluster(connection, { requestTimeoutMs })
  const logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
  const fetcher = new Fetcher(cluster, { maxBufferedRecords: recordsAtOnce, logger })
  let beginnings: readonly PartitionPosition[] | undefined

  async function readBatches(
    onBatch: (records: readonly FetchedRecord[]) => void | Promise<void>,
    signal: AbortSignal
  ): Promise<void> {
    const partitions: { topic: string; partition: number }[] = []
    for (const topic of topics) {
      for (const partition of (await cluster.partitions(topic)).keys()) partitions.push({ topic, partition })
    }
    const ends = new Map(
      (await listOffsets(cluster, partitions, offsetAt.stableEnd)).map(end => [
        `${end.topic}/${end.partition}`,
        end.offset
      ])
    )
    if (beginnings === undefined) {
      beginnings = await listOffsets(cluster, partitions, offsetAt.beginning)
      fetcher.assign(beginnings)
    }
    const isBefore = ({ topic, partition, offset }: PartitionPosition) =>
      offset < (ends.get(`${topic}/${partition}`) ?? 0n)
    const onAbort = () => fetcher.wake()
    signal.addEventListener('abort', onAbort)
    try {
      while (fetcher.hasRecords() || fetcher.positions().some(isBefore)) {
        signal.throwIfAborted()
        await onBatch(await fetcher.take(recordsAtOnce))
      }
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  return {
    readBatches,
    readOn: (onRecord, signal) =>
      readBatches(records => {
        for (const record of records) onRecord(record)
      }, signal),
    ranges() {
      const ends = fetcher.positions()
      return (beginnings ?? []).map(position => {
        const isSame = ({ topic, partition }: PartitionPosition) =>
          topic === position.topic && partition === position.partition
        return { ...position, end: ends.find(isSame)?.offset ?? position.offset }
      })
    },
    async close() {
      fetcher.stop()
      await cluster.close()
    }
  }
}
