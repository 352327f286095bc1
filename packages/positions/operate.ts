import type { IncidentKind } from '@orderly/kafka'
import type { Pool, QueryResultRow } from 'pg'
import pg from 'pg'

/** A stored position of a consumer group, for operators. */
export interface PositionRow {
  readonly groupID: string
  readonly topic: string
  readonly partition: number
  readonly topicID: string
  readonly nextOffset: number
  readonly leaderEpoch: number
  /** Committed offset of the group; null before its first commit. */
  readonly committedOffset: number | null
  /** Time when the oldest record was processed whose commit is not confirmed; null if all are. */
  readonly uncommittedSince: Date | null
  readonly updatedAt: Date
}

export interface IncidentRow {
  readonly id: number
  readonly groupID: string
  readonly kind: IncidentKind
  readonly topic: string
  readonly partition: number
  readonly fromOffset: number | null
  readonly toOffset: number | null
  readonly topicID: string | null
  readonly detail: string | null
  readonly detectedAt: Date
  readonly acknowledgedAt: Date | null
  readonly acknowledgedBy: string | null
}

/** Returns the stored positions in a schema; none if its service has not created the table yet. */
export function storedPositions(pool: Pool, schema: string): Promise<readonly PositionRow[]> {
  return rowsOf<PositionRow>(
    pool,
    `SELECT group_id AS "groupID", topic, partition, topic_id AS "topicID", next_offset AS "nextOffset",
      leader_epoch AS "leaderEpoch", committed_offset AS "committedOffset", uncommitted_since AS "uncommittedSince",
      updated_at AS "updatedAt"
    FROM ${pg.escapeIdentifier(schema)}.positions ORDER BY group_id, topic, partition`
  )
}

const undefinedTable = '42P01'

async function rowsOf<Row extends QueryResultRow>(pool: Pool, text: string, values: unknown[] = []): Promise<Row[]> {
  try {
    return (await pool.query<Row>(text, values)).rows
  } catch (error) {
    if ((error as { code?: unknown }).code === undefinedTable) return []
    throw error
  }
}

const incidentColumns = `id, group_id AS "groupID", kind, topic, partition, from_offset AS "fromOffset", to_offset AS "toOffset",
  topic_id AS "topicID", detail, detected_at AS "detectedAt", acknowledged_at AS "acknowledgedAt", acknowledged_by AS "acknowledgedBy"`

/**
 * Returns the latest 1,000 incidents of a schema in order of detection; none if its service has not
 * created the table yet. Acknowledged incidents are included only on request.
 */
export async function openIncidents(
  pool: Pool,
  schema: string,
  { withAcknowledged = false }: { readonly withAcknowledged?: boolean } = {}
): Promise<readonly IncidentRow[]> {
  const rows = await rowsOf<IncidentRow>(
    pool,
    `SELECT ${incidentColumns} FROM ${pg.escapeIdentifier(schema)}.incidents
    WHERE $1 OR acknowledged_at IS NULL ORDER BY id DESC LIMIT 1000`,
    [withAcknowledged]
  )
  return rows.toReversed()
}

/** Acknowledges incidents. @returns those that were not acknowledged before */
export async function acknowledgeIncidents(
  pool: Pool,
  schema: string,
  { ids, by }: { readonly ids: readonly number[]; readonly by: string }
): Promise<readonly IncidentRow[]> {
  const { rows } = await pool.query<IncidentRow>(
    `UPDATE ${pg.escapeIdentifier(schema)}.incidents SET acknowledged_at = statement_timestamp(), acknowledged_by = $2
    WHERE id = ANY($1) AND acknowledged_at IS NULL RETURNING ${incidentColumns}`,
    [ids, by]
  )
  return rows
}
