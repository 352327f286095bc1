import { eventHeaders, type OrderRate } from '@orderly/contracts'
import type { OutputRecord, Topic } from '@orderly/kafka'
import { windowKey } from '../domain/window.ts'

/**
 * Creates the record of a rate. Its key is the window, so that compaction keeps the newest
 * revision; the event id of a revision is stable.
 */
export function rateRecord(orderRate: Topic<OrderRate>, rate: OrderRate, traceparent: string): OutputRecord {
  const key = windowKey(rate.windowStartMs)
  return {
    topic: orderRate.name,
    key,
    value: orderRate.codec.encode(rate),
    headers: eventHeaders(orderRate, `${key}-${rate.revision}`, traceparent)
  }
}
