import { fetchedRecord } from '@orderly/kafka/testing'
import type { FoundRecord, OrderTables } from '../orders/sources.ts'

export const noTables: OrderTables = {
  status: undefined,
  key: undefined,
  outcome: undefined,
  lines: [],
  settlements: [],
  deliveries: [],
  audits: [],
  losses: []
}

/** Returns a record of user ada at offset 7 of partition 1. */
export function foundRecord(
  topic: string,
  eventType: string,
  timestampMs: number,
  headers: Record<string, string> = {}
): FoundRecord {
  const place = { topic, partition: 1, offset: 7n }
  return { eventType, record: fetchedRecord(place, { timestampMs, key: 'ada', value: null, headers }) }
}
