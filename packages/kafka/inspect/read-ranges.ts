import { Cluster } from '../cluster/cluster.ts'
import type { KafkaConnection } from '../connection.ts'
import type { FetchedRecord } from '../fetch/fetched-record.ts'
import { Fetcher } from '../fetch/fetcher.ts'
import { readToEnds } from '../fetch/read-to-ends.ts'
import { partitionKey, type TopicPartition } from '../types.ts'

/** Offsets of a partition: from `from` to before `to`. */
export interface OffsetRange extends TopicPartition {
  readonly from: bigint
  readonly to: bigint
}

const requestTimeoutMs = 5_000
const maxBufferedRecords = 10_000

/**
 * Passes every committed record of the ranges, in offset order within each. A range must not extend
 * past the last stable offset.
 *
 * @throws KafkaError when a partition cannot be read for 10 s, or has lost records of its range; or
 * the signal's reason
 */
export async function readRanges(
  connection: KafkaConnection,
  ranges: readonly OffsetRange[],
  onRecord: (record: FetchedRecord) => void,
  signal: AbortSignal
): Promise<void> {
  const unread = ranges.filter(({ from, to }) => from < to)
  if (unread.length === 0) return
  const endOf = new Map(unread.map(range => [partitionKey(range), range.to]))
  const cluster = new Cluster(connection, { requestTimeoutMs })
  const logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
  const fetcher = new Fetcher(cluster, { maxBufferedRecords, logger })
  try {
    fetcher.assign(unread.map(({ topic, partition, from }) => ({ topic, partition, offset: from })))
    const ends = unread.map(({ topic, partition, to }) => ({ topic, partition, offset: to }))
    const onRecords = (records: readonly FetchedRecord[]) => {
      for (const record of records) if (record.offset < (endOf.get(partitionKey(record)) ?? 0n)) onRecord(record)
    }
    await readToEnds(fetcher, ends, { onRecords, signal })
  } finally {
    fetcher.stop()
    await cluster.close()
  }
}
