import type { FetchedRecord, KafkaConnection } from '@orderly/kafka'
import { Cluster } from '../../../packages/kafka/cluster/cluster.ts'
import { beginningOffsets, endOffsets, Fetcher } from '../../../packages/kafka/fetch/fetcher.ts'
import { silent } from '../ours/answer-tasks.ts'

export interface WholeRecord extends FetchedRecord {
  readonly value: Buffer
}

/** Reads all committed records of a topic. Requires that no transaction is open. */
export async function readAllCommitted(connection: KafkaConnection, topic: string): Promise<WholeRecord[]> {
  const cluster = new Cluster(connection, { requestTimeoutMs: 10_000 })
  const fetcher = new Fetcher(cluster, { maxBufferedRecords: 20_000, logger: silent })
  try {
    const partitions = (await cluster.partitions(topic)).map((_, partition) => ({ topic, partition }))
    const ends = await endOffsets(cluster, partitions)
    fetcher.assign(await beginningOffsets(cluster, partitions))
    const records: WholeRecord[] = []
    const isThere = () =>
      fetcher
        .positions()
        .every(({ partition, offset }) => offset >= (ends.find(end => end.partition === partition)?.offset ?? 0n))
    for (const timer = setInterval(() => fetcher.wake(), 50); ; ) {
      for (const record of await fetcher.take(20_000)) if (record.value !== null) records.push(record as WholeRecord)
      if (isThere() && !fetcher.hasRecords()) {
        clearInterval(timer)
        return records
      }
    }
  } finally {
    fetcher.stop()
    await cluster.close()
  }
}
