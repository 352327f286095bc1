import { isDeepStrictEqual } from 'node:util'
import { topicConfig, topicNames } from '@orderly/contracts'
import type { AuditRow, RecordedRecord } from '../../history/history.ts'
import { positionKey } from '../evidence.ts'
import type { Finding, Guarantee } from '../guarantee.ts'

/**
 * Checks that every visible record has exactly one row, with the same content, and that no other
 * rows exist. Undecodable records become dead letters of the connector instead. The rows of a
 * compacted topic remain after compaction has removed their records.
 */
export const auditComplete: Guarantee = {
  number: 10,
  promise: 'The audit tables contain exactly the records of the topics.',
  appliesTo: ({ audit }) => audit !== undefined,
  check({ history, visible }) {
    const { rows, setAside } = history.audit ?? { rows: [], setAside: [] }
    const rowsByPosition = Map.groupBy(rows, positionKey)
    const asideByPosition = Map.groupBy(setAside, positionKey)
    const findings: Finding[] = []
    const positions = new Set<string>()
    for (const topic of Object.values(topicNames)) {
      const records = visible(topic)
      const isAbsent = absentColumns(
        records,
        rows.filter(row => row.topic === topic)
      )
      for (const record of records) {
        positions.add(positionKey(record))
        const own = rowsByPosition.get(positionKey(record)) ?? []
        const summary = problemOf(record, own, asideByPosition.has(positionKey(record)), isAbsent)
        if (summary !== undefined) findings.push({ ...about(record), summary })
      }
      const newest = new Map(records.map(({ partition, key, offset }) => [`${partition} ${key}`, offset]))
      const isCompacted = topicConfig(topic)['cleanup.policy'] === 'compact'
      for (const row of rows) {
        if (row.topic !== topic || positions.has(positionKey(row))) continue
        if (isCompacted && (newest.get(`${row.partition} ${row.key}`) ?? row.offset) > row.offset) continue
        findings.push({
          summary: `${positionKey(row)} is a row, but not a visible record`,
          atMs: row.timestampMs
        })
      }
    }
    return findings
  }
}

function problemOf(
  record: RecordedRecord,
  rows: readonly AuditRow[],
  isAside: boolean,
  isAbsent: (column: string) => boolean
): string | undefined {
  const position = positionKey(record)
  if (record.event === undefined) {
    if (rows.length > 0) return `${position} is not an event, but has a row`
    return isAside ? undefined : `${position} is not an event, but has no dead letter`
  }
  const [row] = rows
  if (row === undefined) return isAside ? `${position} has a dead letter, but is an event` : `${position} has no row`
  if (rows.length > 1) return `${position} has ${rows.length} rows`
  const columns = Object.entries(columnsOf(record)).filter(([column]) => !isAbsent(column))
  const wrong = columns.find(([column, value]) => !isDeepStrictEqual(row.columns[column], value))
  return (
    wrong &&
    `${position} has ${wrong[0]} ${JSON.stringify(row.columns[wrong[0]])} in its row, not ${JSON.stringify(wrong[1])}`
  )
}

/**
 * Returns whether a column may be absent. The connector adds the column of a new field with the
 * first record of that version; until then all records have the same value in it.
 */
function absentColumns(records: readonly RecordedRecord[], rows: readonly AuditRow[]): (column: string) => boolean {
  const there = new Set(rows.flatMap(({ columns }) => Object.keys(columns)))
  const values = new Map<string, Set<string>>()
  for (const record of records) {
    if (record.event === undefined) continue
    for (const [column, value] of Object.entries(columnsOf(record))) {
      const own = values.get(column) ?? new Set()
      values.set(column, own.add(JSON.stringify(value)))
    }
  }
  return column => !there.has(column) && values.get(column)?.size === 1
}

/**
 * Returns a record's columns as named by `deploy/connect/plugin`: `createdAtMs` is `created_at`.
 */
export function columnsOf({ key, timestampMs, headers, event = {} as never }: RecordedRecord): Record<string, unknown> {
  const fields = Object.entries(event).map(([name, value]) => [columnOf(name.replace(/Ms$/, '')), value] as const)
  const own = {
    record_generation: 1,
    record_key: key,
    record_timestamp: timestampMs,
    event_id: headers['event-id'] ?? null,
    caller: headers.caller ?? null,
    traceparent: headers.traceparent ?? null
  }
  return { ...own, ...Object.fromEntries(fields.map(([name, value]) => [name in own ? `event_${name}` : name, value])) }
}

function columnOf(name: string): string {
  return name.replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2').toLowerCase()
}

function about(record: RecordedRecord) {
  return { orderID: record.event?.orderID, userID: record.event?.userID, records: [record], atMs: record.timestampMs }
}
