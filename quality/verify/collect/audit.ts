import { topicNames } from '@orderly/contracts'
import { auditDeadLetterTopic } from '@orderly/launcher'
import type { AuditDump, AuditRow } from '../history/history.ts'
import { withDatabase } from '../run/servers.ts'
import type { KafkaLog } from './kafka-log.ts'
import { isVisible, withTransactions } from './transactions.ts'

/** Postgres type OID of `bigint`. */
const bigint = 20

/** Reads the audit tables and the positions of the connector's dead letters. */
export async function dumpAudit(databaseURL: string, log: KafkaLog): Promise<AuditDump> {
  return { rows: await dumpRows(databaseURL), setAside: await dumpSetAside(log) }
}

/** Counts the audited records: rows and dead letters of the connector. */
export async function countAudited(databaseURL: string, log: KafkaLog): Promise<number> {
  const counts = await withDatabase(databaseURL, async client => {
    const tables = await tablesIn(client)
    const rows = await Promise.all(tables.map(table => client.query(`SELECT count(*) FROM audit.${table}`)))
    return rows.map(({ rows: [row] }) => Number(row.count))
  })
  return counts.reduce((sum, count) => sum + count, 0) + (await dumpSetAside(log)).length
}

/** Counts the visible records of all topics, which the connector must audit. */
export async function countVisible(log: KafkaLog): Promise<number> {
  let count = 0
  for (const topic of Object.values(topicNames)) {
    for (const { partition, highWatermark } of await log.ends(topic)) {
      count += withTransactions(await log.read(topic, partition, 0, highWatermark)).filter(isVisible).length
    }
  }
  return count
}

type Client = Parameters<Parameters<typeof withDatabase>[1]>[0]

async function tablesIn(client: Client): Promise<string[]> {
  const { rows } = await client.query(
    `SELECT table_name FROM information_schema.tables
      WHERE table_schema = 'audit' AND table_name <> 'topic_generations' ORDER BY 1`
  )
  return rows.map(({ table_name }) => table_name)
}

async function dumpRows(databaseURL: string): Promise<AuditRow[]> {
  return withDatabase(databaseURL, async client => {
    const dumped: AuditRow[] = []
    for (const table of await tablesIn(client)) {
      const found = await client.query(`SELECT * FROM audit.${table} ORDER BY record_partition, record_offset`)
      const { rows } = found
      const counts = new Set(found.fields.flatMap(({ name, dataTypeID }) => (dataTypeID === bigint ? [name] : [])))
      for (const { record_topic: topic, record_partition: partition, record_offset: offset, ...rest } of rows) {
        const columns = Object.fromEntries(
          Object.entries(rest).map(([name, value]) => [name, toPlain(value, counts.has(name))])
        )
        const { record_key: key, record_timestamp: timestampMs } = columns
        dumped.push({
          ...{ topic, partition, offset: Number(offset), columns },
          ...{ key: key as string | null, timestampMs: timestampMs as number }
        })
      }
    }
    return dumped
  })
}

/**
 * Converts timestamps to milliseconds and bigints, which the driver returns as text, to numbers.
 */
function toPlain(value: unknown, isCount: boolean): unknown {
  if (value instanceof Date) return value.getTime()
  return isCount && value !== null ? Number(value) : value
}

/** Returns the original positions of the connector's dead letters without duplicates. */
async function dumpSetAside(log: KafkaLog): Promise<AuditDump['setAside'][number][]> {
  const positions = new Map<string, AuditDump['setAside'][number]>()
  const ends = await log.ends(auditDeadLetterTopic)
  for (const { partition, highWatermark } of ends) {
    for (const { record } of withTransactions(await log.read(auditDeadLetterTopic, partition, 0, highWatermark))) {
      const headers = new Map(record.headers.map(([name, content]) => [String(name), String(content)]))
      const position = {
        topic: headers.get('__connect.errors.topic') ?? '',
        partition: Number(headers.get('__connect.errors.partition')),
        offset: Number(headers.get('__connect.errors.offset'))
      }
      positions.set(JSON.stringify(position), position)
    }
  }
  return [...positions.values()]
}
