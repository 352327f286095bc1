import { setTimeout as delay } from 'node:timers/promises'
import { type CompressionAlgorithmValue, compressionsAlgorithms } from '@platformatic/kafka'
import { Cluster } from '../cluster/cluster.ts'
import type { KafkaConnection } from '../connection.ts'
import { KafkaError, protocolError } from '../errors.ts'
import { produce } from '../producer/produce.ts'
import { encodedRecords, encodeRecordBatch, replaceRecords } from '../producer/record-batch.ts'
import type { OutputRecord } from '../records.ts'
import { partitionKey } from '../types.ts'

/**
 * Writes records as one batch with any compression of Kafka, without a producer id. @throws
 * KafkaError the broker's error
 */
export async function writeBatch(
  connection: KafkaConnection,
  { topic, partition, records, compression = 'none' }: BatchToWrite
): Promise<void> {
  const plain = encodeRecordBatch({
    records: records.map(record => ({ ...record, topic })),
    ...{ producerID: -1n, epoch: -1, firstSequence: -1, isTransactional: false }
  })
  const { bitmask: type, compressSync: compress } = compressionsAlgorithms[compression]
  const bytes =
    compression === 'none' ? plain : replaceRecords(plain, Buffer.from(compress(encodedRecords(plain))), type)
  await writeEncoded(connection, { topic, partition, bytes })
}

export interface BatchToWrite {
  readonly topic: string
  readonly partition: number
  readonly records: readonly Omit<OutputRecord, 'topic'>[]
  readonly compression?: CompressionAlgorithmValue
}

/** Writes an encoded batch unchanged. @throws KafkaError the broker's error */
export async function writeEncoded(
  connection: KafkaConnection,
  batch: { readonly topic: string; readonly partition: number; readonly bytes: Buffer }
): Promise<void> {
  const cluster = new Cluster(connection, { requestTimeoutMs: 10_000 })
  try {
    for (;;) {
      const leader = await cluster.connectionToLeader(batch.topic, batch.partition)
      const codes = await produce(leader, [batch], { timeoutMs: 10_000 })
      const code = codes.get(partitionKey(batch)) ?? 0
      if (code === 0) return
      const error = protocolError(code, `writing to ${batch.topic}`)
      if (!(error instanceof KafkaError) || !error.retryable) throw error
      cluster.forget()
      await delay(50)
    }
  } finally {
    await cluster.close()
  }
}
