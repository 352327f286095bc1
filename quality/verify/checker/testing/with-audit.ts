import { topicNames } from '@orderly/contracts'
import type { AuditDump, AuditRow, History, RecordedRecord } from '../../history/history.ts'
import { isVisible } from '../evidence.ts'
import { columnsOf } from '../guarantees/audit-complete.ts'

const isAudited = ({ topic }: RecordedRecord) => (Object.values(topicNames) as string[]).includes(topic)

/** Adds the rows that a correct connector writes, including a rate that compaction has removed. */
export function withAudit(history: History): History {
  const records = history.records.filter(record => isVisible(record) && isAudited(record))
  const rows = records.filter(({ event }) => event !== undefined).map(rowOf)
  const rate = rows.findLast(({ topic }) => topic === topicNames.orderRate)
  return {
    ...history,
    audit: {
      rows: rate === undefined ? rows : [...rows, { ...rate, offset: rate.offset - 1_000 }],
      setAside: records.filter(({ event }) => event === undefined)
    }
  }
}

export function rowOf(record: RecordedRecord): AuditRow {
  const { topic, partition, offset, key, timestampMs } = record
  return { topic, partition, offset, key, timestampMs, columns: columnsOf(record) }
}

export function withAuditRows(history: History, change: (rows: AuditDump['rows']) => AuditDump['rows']): History {
  const audit = history.audit as AuditDump
  return { ...history, audit: { ...audit, rows: change(audit.rows) } }
}
