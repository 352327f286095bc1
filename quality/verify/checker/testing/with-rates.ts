import { topicNames } from '@orderly/contracts'
import type { History, RecordedRecord } from '../../history/history.ts'
import { withReads } from './with-reads.ts'

export type Rate = Readonly<{ orders: number; late: number; revision: number; isFinal: boolean }>

const windowMs = 60_000

const isOrder = ({ topic, event }: RecordedRecord) => topic === topicNames.ordersCreated && event !== undefined
export const isRate = ({ topic }: RecordedRecord): boolean => topic === topicNames.orderRate
export const rateOf = ({ event }: RecordedRecord): Rate => event as unknown as Rate

/**
 * Adds the rates that a correct aggregator publishes: an early revision and the final one, twice.
 */
export function withRates(history: History): History {
  const minutes = Map.groupBy(
    history.records.filter(isOrder),
    ({ timestampMs }) => Math.floor(timestampMs / windowMs) * windowMs
  )
  const rates = [...minutes].flatMap(([windowStartMs, orders], partition) =>
    [
      { orders: 1, late: 0, revision: 1, isFinal: false },
      { orders: orders.length, late: 0, revision: 3, isFinal: true },
      { orders: orders.length, late: 0, revision: 3, isFinal: true }
    ].map((figures, offset) => rateRecord(windowStartMs, partition, offset, figures))
  )
  const endedAtMs = history.endedAtMs + 10 * windowMs
  return withReads({ ...history, endedAtMs, records: [...history.records, ...rates] })
}

export function rateRecord(windowStartMs: number, partition: number, offset: number, figures: Rate): RecordedRecord {
  return {
    topic: topicNames.orderRate,
    partition,
    offset,
    timestampMs: windowStartMs,
    key: `${new Date(windowStartMs).toISOString().slice(0, 16)}Z`,
    headers: {},
    producerID: 9,
    producerEpoch: 0,
    transaction: 'committed',
    valueDigest: JSON.stringify(figures),
    event: { windowStartMs, windowEndMs: windowStartMs + windowMs, ...figures } as never
  }
}
