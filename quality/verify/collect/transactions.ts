import type { KafkaRecord, RecordsBatch } from '@platformatic/kafka'
import type { RecordedRecord } from '../history/history.ts'

/** A record of the log with the state of its transaction. */
export interface LogRecord {
  readonly offset: number
  readonly timestampMs: number
  readonly producerID: number
  readonly producerEpoch: number
  readonly transaction: RecordedRecord['transaction']
  /** Offset of its commit or abort marker; its own offset if there is none. */
  readonly endOffset: number
  readonly endedAtMs: number
  readonly record: KafkaRecord
}

const transactionalBit = 1 << 4
const logAppendTimeBit = 1 << 3
const controlBit = 1 << 5

/**
 * Determines the transaction state of each record. Reads backwards: the next marker of its producer
 * gives the state; without a marker the transaction is open.
 */
export function withTransactions(batches: readonly RecordsBatch[]): LogRecord[] {
  const ends = new Map<bigint, { state: 'committed' | 'aborted'; offset: number; atMs: number }>()
  const records: LogRecord[] = []
  for (const batch of batches.toReversed()) {
    const [first] = batch.records
    if ((batch.attributes & controlBit) !== 0) {
      const type = first?.key && first.key.length >= 4 ? first.key.readInt16BE(2) : -1
      if (type > 1 || type < 0) continue
      const state = type === 1 ? 'committed' : 'aborted'
      ends.set(batch.producerId, { state, offset: Number(batch.firstOffset), atMs: Number(batch.maxTimestamp) })
      continue
    }
    const isTransactional = (batch.attributes & transactionalBit) !== 0
    const end = isTransactional ? ends.get(batch.producerId) : undefined
    const isTimedByBroker = (batch.attributes & logAppendTimeBit) !== 0
    for (const record of batch.records.toReversed()) {
      const offset = Number(batch.firstOffset) + record.offsetDelta
      const timestampMs = Number(isTimedByBroker ? batch.maxTimestamp : batch.firstTimestamp + record.timestampDelta)
      records.push({
        offset,
        timestampMs,
        producerID: Number(batch.producerId),
        producerEpoch: batch.producerEpoch,
        transaction: isTransactional ? (end?.state ?? 'open') : 'none',
        endOffset: end?.offset ?? offset,
        endedAtMs: end?.atMs ?? timestampMs,
        record
      })
    }
  }
  return records.reverse()
}

export const isVisible = ({ transaction }: LogRecord): boolean => transaction === 'none' || transaction === 'committed'
