import { Cluster } from '../cluster/cluster.ts'
import { listOffsets, offsetAt } from '../cluster/list-offsets.ts'
import type { KafkaConnection } from '../connection.ts'
import type { FetchedRecord } from '../fetch/fetched-record.ts'
import { Fetcher } from '../fetch/fetcher.ts'
import type { PartitionPosition } from '../fetch/partition-state.ts'
import { readToEnds } from '../fetch/read-to-ends.ts'
import { partitionKey } from '../types.ts'

/** Reads topics from their beginning to their current end; each further call resumes from there. */
export interface TopicReader {
  /**
   * Passes every record that was committed before the call and not passed yet.
   *
   * @throws KafkaError, or the signal's reason
   */
  readOn(onRecord: (record: FetchedRecord) => void, signal: AbortSignal): Promise<void>
  /**
   * Passes records like `readOn`, but in batches. The next batch is taken when the promise of the
   * previous one has resolved.
   */
  readBatches(onBatch: (records: readonly FetchedRecord[]) => void | Promise<void>, signal: AbortSignal): Promise<void>
  /** Returns the ranges of offsets already read, by partition: from `offset` to before `end`. */
  ranges(): readonly (PartitionPosition & { readonly end: bigint })[]
  /** Stops fetching and closes its connections. */
  close(): Promise<void>
}

const requestTimeoutMs = 5_000
const maxBufferedRecords = 10_000

/** Options of `createTopicReader`. */
export interface TopicReaderOptions {
  /**
   * Offsets to start at, if they are still in the log; other partitions are read from their
   * beginning.
   */
  readonly from?: readonly PartitionPosition[]
}

/** Creates a reader of committed records. It belongs to no group and commits no offsets. */
export function createTopicReader(
  connection: KafkaConnection,
  topics: readonly string[],
  { from = [] }: TopicReaderOptions = {}
): TopicReader {
  const cluster = new Cluster(connection, { requestTimeoutMs })
  const logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
  const fetcher = new Fetcher(cluster, { maxBufferedRecords, logger })
  /** First position that was read, by partition. */
  const beginnings = new Map<string, PartitionPosition>()

  async function readBatches(
    onBatch: (records: readonly FetchedRecord[]) => void | Promise<void>,
    signal: AbortSignal
  ): Promise<void> {
    const partitions: { topic: string; partition: number; topicID: string }[] = []
    for (const topic of topics) {
      for (const [partition, { topicID }] of (await cluster.partitions(topic)).entries())
        partitions.push({ topic, partition, topicID })
    }
    const ends = await listOffsets(cluster, partitions, offsetAt.stableEnd)
    const added = partitions.filter(own => !beginnings.has(partitionKey(own)))
    const offsets = await listOffsets(cluster, added, offsetAt.beginning)
    const positions = offsets.map((beginning, index) => {
      const wanted = from.find(isSamePartition(beginning))?.offset ?? 0n
      const offset = wanted > beginning.offset ? wanted : beginning.offset
      return { ...beginning, offset, topicID: added[index]?.topicID }
    })
    fetcher.add(positions)
    for (const position of positions) beginnings.set(partitionKey(position), position)
    await readToEnds(fetcher, ends, { onRecords: onBatch, signal })
  }

  return {
    readBatches,
    readOn: (onRecord, signal) =>
      readBatches(records => {
        for (const record of records) onRecord(record)
      }, signal),
    ranges() {
      const ends = fetcher.positions()
      return [...beginnings.values()].map(position => {
        return { ...position, end: ends.find(isSamePartition(position))?.offset ?? position.offset }
      })
    },
    async close() {
      fetcher.stop()
      await cluster.close()
    }
  }
}

function isSamePartition(one: PartitionPosition): (other: PartitionPosition) => boolean {
  return ({ topic, partition }) => topic === one.topic && partition === one.partition
}
