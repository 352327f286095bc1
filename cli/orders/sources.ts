import { eventID, topicNames } from '@orderly/contracts'
import { createTopicReader, type FetchedRecord } from '@orderly/kafka'
import type { Pool } from 'pg'

export type Row = Readonly<Record<string, unknown>>

export type OrderTables = Awaited<ReturnType<typeof readTables>>

/** Reads the rows of an order from all tables; missing tables are skipped. */
export async function readTables(pool: Pool, orderID: string) {
  const present = new Set<string>()
  const { rows } = await pool.query(
    `SELECT table_schema || '.' || table_name AS name FROM information_schema.tables
      WHERE table_schema IN ('orders', 'inventory', 'notification', 'audit')`
  )
  for (const { name } of rows) present.add(name)
  const read = async (table: string, text: string, value: string = orderID): Promise<Row[]> =>
    present.has(table) ? (await pool.query(text, [value])).rows : []
  const audits = [...present].filter(name => name.startsWith('audit.'))
  return {
    status: (await read('orders.orders', 'SELECT * FROM orders.orders WHERE order_id = $1'))[0],
    key: (
      await read(
        'orders.idempotency_keys',
        `SELECT key, claimed_at, coalesce(pending.attempt, known.attempt) AS attempt,
          CASE WHEN producer_id IS NULL AND pending.id IS NULL THEN 'stored' ELSE state END AS state
        FROM orders.idempotency_keys AS known LEFT JOIN orders.reserved_batches AS pending ON pending.id = batch_id
        WHERE order_id = $1 AND (producer_id IS NOT NULL OR batch_id IS NOT NULL) LIMIT 1`
      )
    )[0],
    losses: await read('inventory.incidents', incidentsOfRecord),
    outcome: (await read('inventory.outcomes', 'SELECT * FROM inventory.outcomes WHERE order_id = $1'))[0],
    lines: await read(
      'inventory.reservation_lines',
      'SELECT sku, quantity FROM inventory.reservation_lines WHERE order_id = $1 ORDER BY sku'
    ),
    settlements: await read(
      'inventory.settlements',
      'SELECT kind, cause, request_id, settled_at FROM inventory.settlements WHERE order_id = $1 ORDER BY sequence'
    ),
    deliveries: await read(
      'notification.deliveries',
      `SELECT event_id, caller, user_id, target, status, attempts, code, reason, accepted_at, finished_at FROM notification.deliveries
        WHERE content->>'orderID' = $1 ORDER BY sequence`
    ),
    audits: (await Promise.all(audits.map(table => readAudit(pool, table, orderID)))).flat()
  }
}

/** Incidents in which the inventory lost the record of an order, the newest first. */
const incidentsOfRecord = `SELECT id, kind, acknowledged_at FROM inventory.incidents, orders.orders
  WHERE order_id = $1 AND topic = '${topicNames.ordersCreated}' AND partition = created_partition
    AND (kind IN ('offsets_skipped', 'log_truncated')
      AND created_offset >= least(from_offset, to_offset) AND created_offset < greatest(from_offset, to_offset)
      OR kind = 'topic_recreated' AND detected_at >= accepted_at)
  ORDER BY id DESC`

/** Reads a table that a connector created, by its column for the order id in any spelling. */
async function readAudit(pool: Pool, table: string, orderID: string): Promise<{ table: string; row: Row }[]> {
  const [schema, name] = table.split('.')
  const { rows: columns } = await pool.query(
    `SELECT quote_ident(column_name) AS name FROM information_schema.columns
      WHERE table_schema = $1 AND table_name = $2 AND lower(replace(column_name, '_', '')) = 'orderid'`,
    [schema, name]
  )
  if (columns[0] === undefined) return []
  const { rows: quoted } = await pool.query('SELECT quote_ident($1) || $3 || quote_ident($2) AS name', [
    schema,
    name,
    '.'
  ])
  const { rows } = await pool.query(`SELECT * FROM ${quoted[0].name} WHERE ${columns[0].name} = $1 LIMIT 20`, [orderID])
  return rows.map(row => ({ table, row }))
}

export interface FoundRecord {
  readonly record: FetchedRecord
  readonly eventType: string
}

/**
 * Reads the events of an order by their ids. It reads all topics that carry orders completely,
 * which takes time if they are long.
 */
export async function readRecords(
  connection: Parameters<typeof createTopicReader>[0],
  orderID: string,
  signal: AbortSignal
): Promise<FoundRecord[]> {
  const types = new Map([
    [topicNames.ordersCreated, 'OrderCreated'],
    [topicNames.ordersChanges, 'OrderChangeRequested'],
    [topicNames.inventoryReserved, 'InventoryReserved'],
    [topicNames.inventoryFailed, 'InventoryFailed'],
    [topicNames.inventoryConfirmed, 'InventoryConfirmed'],
    [topicNames.inventoryReleased, 'InventoryReleased']
  ] as [string, string][])
  const found: FoundRecord[] = []
  const reader = createTopicReader(connection, [...types.keys()])
  try {
    await reader.readOn(record => {
      const eventType = types.get(record.topic) ?? ''
      const id = record.headers.text('event-id')
      if (id !== undefined && isOf(id, eventType, orderID)) found.push({ record, eventType })
    }, signal)
  } finally {
    await reader.close()
  }
  return found
}

/**
 * Returns true if an event id belongs to the order. An order can have several changes; their event
 * ids end with the request.
 */
function isOf(id: string, eventType: string, orderID: string): boolean {
  const own = eventID(eventType, orderID)
  return id === own || id.startsWith(`${own}-`)
}
