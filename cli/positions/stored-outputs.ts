import { failureReasons, type InventoryFailed, settlementName, type Topics, toRecord } from '@orderly/contracts'
import type { OutputRecord } from '@orderly/kafka'
import { newTraceparent } from '@orderly/service-kit'
import type { Pool, QueryResultRow } from 'pg'
import { positionKey } from './evidence.ts'

/** An output that the inventory has stored but may not have written to its topic. */
export interface StoredOutput {
  readonly orderID: string
  readonly eventID: string
  /**
   * True for the outcome of a cancel that precedes its order: the stage writes it when it reads the
   * order's record.
   */
  readonly awaitsOrder: boolean
  readonly record: OutputRecord
}

type ResultTopics = Pick<Topics, 'inventoryReserved' | 'inventoryFailed' | 'inventoryConfirmed' | 'inventoryReleased'>

/**
 * Returns the outputs that the inventory has decided since `sinceMs`, in the order of its
 * decisions.
 */
export async function storedOutputs(pool: Pool, topics: ResultTopics, sinceMs: number): Promise<StoredOutput[]> {
  const since = [new Date(sinceMs)]
  const [outcomes, settlements] = await Promise.all([
    pool.query('SELECT * FROM inventory.outcomes WHERE decided_at >= $1', since),
    pool.query(
      `SELECT settlements.*, outcomes.user_id, outcomes.caller, outcomes.items
      FROM inventory.settlements JOIN inventory.outcomes USING (order_id) WHERE settled_at >= $1`,
      since
    )
  ])
  const outputs = [
    ...outcomes.rows.map(row => ({ row, output: outcomeOf(row, topics) })),
    ...settlements.rows.map(row => ({ row, output: settlementOf(row, topics) }))
  ]
  return outputs.toSorted((a, b) => a.row.sequence - b.row.sequence).map(({ output }) => output)
}

/** Returns the positions of the change requests that have caused an event since `sinceMs`. */
export async function answeredChanges(pool: Pool, sinceMs: number): Promise<Set<string>> {
  const { rows } = await pool.query(
    `SELECT changes_topic_id AS "topicID", changes_partition AS partition, changes_offset AS "offset"
    FROM inventory.settlements WHERE settled_at >= $1 AND changes_offset IS NOT NULL`,
    [new Date(sinceMs)]
  )
  return new Set(rows.map(row => positionKey(row as Parameters<typeof positionKey>[0])))
}

function outcomeOf(row: QueryResultRow, { inventoryReserved, inventoryFailed }: ResultTopics): StoredOutput {
  const options = { caller: row.caller ?? undefined }
  const { order_id: orderID, user_id: userID, sequence } = row
  const known = { orderID, userID, decidedAtMs: row.decided_at.getTime(), sequence }
  if (row.kind === 'reserved') {
    const event = { ...known, items: row.items, holdUntilMs: row.hold_until?.getTime() ?? null }
    return toOutput(orderID, toRecord(inventoryReserved, event, newTraceparent(), options))
  }
  const event: InventoryFailed = { ...known, reason: row.reason, shortages: row.shortages }
  const output = toOutput(orderID, toRecord(inventoryFailed, event, newTraceparent(), options))
  return { ...output, awaitsOrder: row.reason === failureReasons.cancelled }
}

function settlementOf(row: QueryResultRow, { inventoryConfirmed, inventoryReleased }: ResultTopics): StoredOutput {
  const { order_id: orderID, user_id: userID, request_id: requestID, items, sequence } = row
  const options = { about: settlementName({ orderID, requestID }), caller: row.caller ?? undefined }
  const known = { orderID, userID, items, requestID, sequence }
  const atMs = row.settled_at.getTime()
  const record =
    row.kind === 'released'
      ? toRecord(inventoryReleased, { ...known, cause: row.cause, releasedAtMs: atMs }, newTraceparent(), options)
      : toRecord(inventoryConfirmed, { ...known, confirmedAtMs: atMs }, newTraceparent(), options)
  return toOutput(orderID, record)
}

function toOutput(orderID: string, record: OutputRecord): StoredOutput {
  const headers = record.headers as Readonly<Record<string, string>>
  return { orderID, eventID: headers['event-id'] ?? '', awaitsOrder: false, record }
}
