import { Cluster } from '../cluster/cluster.ts'
import type { FetchedRecord } from '../committed-read/fetched-record.ts'
import { Fetcher } from '../committed-read/fetcher.ts'
import type { KafkaConnection } from '../connection.ts'
import type { TopicPartition } from '../group/assignment.ts'

/** Offsets of a partition: from `from` to before `to`. */
export interface OffsetRange extends TopicPartition {
  readonly from: bigint
  readonly to: bigint
}

const requestTimeoutMs = 5_000
const recordsAtOnce = 10_000

/**
 * Gives every committed record of the ranges, in offset order within each. A range must not reach behind the last stable offset.
 * @throws KafkaError, or the signal's reason
 */
export async function readRanges(
  connection: KafkaConnection,
  ranges: readonly OffsetRange[],
  onRecord: (record: FetchedRecord) => void,
  signal: AbortSignal
): Promise<void> {
  const ends = new Map(ranges.filter(({ from, to }) => from < to).map(range => [placeOf(range), range.to]))
  if (ends.size === 0) return
  const cluster = new Cluster(connection, { requestTimeoutMs })
  const logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
  const fetcher = new Fetcher(cluster, { maxBufferedRecords: recordsAtOnce, logger })
  const onAbort = () => fetcher.wake()
  signal.addEventListener('abort', onAbort)
  try {
    fetcher.assign(
      ranges.filter(range => ends.has(placeOf(range))).map(({ from, to, ...place }) => ({ ...place, offset: from }))
    )
    const isBehind = (own: TopicPartition, offset: bigint) => offset < (ends.get(placeOf(own)) ?? 0n)
    while (fetcher.hasRecords() || fetcher.positions().some(position => isBehind(position, position.offset))) {
      signal.throwIfAborted()
      for (const record of await fetcher.take(recordsAtOnce)) if (isBehind(record, record.offset)) onRecord(record)
    }
  } finally {
    signal.removeEventListener('abort', onAbort)
    fetcher.stop()
    await cluster.close()
  }
}

const placeOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`
