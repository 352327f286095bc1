import {
  failureReasons,
  type InventoryConfirmed,
  type InventoryFailed,
  type InventoryReleased,
  type InventoryReserved,
  type StockMoved
} from '@orderly/contracts'
import type { Statement } from '@orderly/postgres'

/**
 * SQL of a rebuild. Each statement inserts the missing rows of a chunk of events and leaves
 * existing rows unchanged. So any statement may run again, and an interrupted rebuild starts from
 * the beginning.
 */

export interface Owned<Event> {
  readonly event: Event
  readonly caller: string | undefined
}

const time = (ms: number | null) => (ms === null ? null : new Date(ms))

/**
 * Inserts outcomes with their reservation lines and holds, unless the order has been released or
 * settled in the meantime. Returns the orders that have another outcome.
 */
export function addReserved(events: readonly Owned<InventoryReserved>[]): Statement {
  return {
    name: 'reconcile-reserved',
    text: `WITH given AS (
        SELECT DISTINCT ON (order_id) * FROM unnest($1::text[], $2::text[], $3::text[], $4::jsonb[], $5::bigint[],
          $6::timestamptz[], $7::timestamptz[])
          AS event (order_id, user_id, caller, items, sequence, decided_at, hold_until)
      ), added AS (
        INSERT INTO inventory.outcomes (order_id, user_id, caller, kind, items, sequence, decided_at, hold_until)
        SELECT order_id, user_id, caller, 'reserved', items, sequence, decided_at, hold_until FROM given
        ON CONFLICT (order_id) DO NOTHING
        RETURNING order_id, user_id, caller, items, hold_until
      ), lines AS (
        INSERT INTO inventory.reservation_lines (order_id, sku, quantity)
        SELECT order_id, item->>'sku', sum((item->>'quantity')::bigint)
        FROM added, jsonb_array_elements(items) AS item
        WHERE NOT EXISTS (SELECT FROM inventory.settlements AS settled
          WHERE settled.order_id = added.order_id AND settled.kind = 'released')
        GROUP BY order_id, item->>'sku'
        ON CONFLICT DO NOTHING
      ), held AS (
        INSERT INTO inventory.holds (order_id, user_id, caller, expire_at)
        SELECT order_id, user_id, caller, hold_until FROM added
        WHERE hold_until IS NOT NULL
          AND NOT EXISTS (SELECT FROM inventory.settlements AS settled WHERE settled.order_id = added.order_id)
        ON CONFLICT DO NOTHING
      )
      SELECT (SELECT count(*) FROM added) AS added, ARRAY(
        SELECT given.order_id FROM given JOIN inventory.outcomes AS known USING (order_id)
        WHERE known.kind <> 'reserved' OR known.items <> given.items) AS contradicting`,
    values: [
      events.map(({ event }) => event.orderID),
      events.map(({ event }) => event.userID),
      events.map(({ caller }) => caller),
      events.map(({ event }) => JSON.stringify(event.items)),
      events.map(({ event }) => event.sequence),
      events.map(({ event }) => time(event.decidedAtMs)),
      events.map(({ event }) => time(event.holdUntilMs))
    ]
  }
}

export function addFailed(events: readonly Owned<InventoryFailed>[]): Statement {
  return {
    name: 'reconcile-failed',
    text: `WITH given AS (
        SELECT DISTINCT ON (order_id) * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::jsonb[], $6::bigint[],
          $7::timestamptz[])
          AS event (order_id, user_id, caller, reason, shortages, sequence, decided_at)
      ), added AS (
        INSERT INTO inventory.outcomes (order_id, user_id, caller, kind, reason, shortages, sequence, decided_at)
        SELECT order_id, user_id, caller, 'failed', reason, shortages, sequence, decided_at FROM given
        ON CONFLICT (order_id) DO NOTHING
        RETURNING order_id
      )
      SELECT (SELECT count(*) FROM added) AS added, ARRAY(
        SELECT given.order_id FROM given JOIN inventory.outcomes AS known USING (order_id)
        WHERE known.kind <> 'failed' OR known.reason <> given.reason) AS contradicting`,
    values: [
      events.map(({ event }) => event.orderID),
      events.map(({ event }) => event.userID),
      events.map(({ caller }) => caller),
      events.map(({ event }) => event.reason),
      events.map(({ event }) => JSON.stringify(event.shortages)),
      events.map(({ event }) => event.sequence),
      events.map(({ event }) => time(event.decidedAtMs))
    ]
  }
}

/**
 * Returns the request id of a settlement. A settlement whose event has none is the only one of its
 * kind, so its kind is used instead.
 */
const requestOf = ({ requestID }: { readonly requestID: string }, kind: string) =>
  requestID === '' ? `unnamed-${kind}` : requestID

/**
 * Inserts settlements of reserved orders, ends their holds and, for releases, deletes their
 * reservation lines. Returns the orders that have no reserved outcome.
 */
export function addSettlements(
  events: readonly (InventoryConfirmed | InventoryReleased)[],
  kind: 'confirmed' | 'released'
): Statement {
  const released = events.map(event => ('releasedAtMs' in event ? event : undefined))
  return {
    name: `reconcile-${kind}`,
    text: `WITH given AS (
        SELECT DISTINCT ON (order_id) * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::timestamptz[])
          AS event (order_id, cause, request_id, sequence, settled_at)
      ), added AS (
        INSERT INTO inventory.settlements (order_id, kind, cause, request_id, sequence, settled_at)
        SELECT order_id, '${kind}', given.cause, request_id, given.sequence, settled_at
        FROM given JOIN inventory.outcomes USING (order_id) WHERE outcomes.kind = 'reserved'
        ON CONFLICT DO NOTHING
        RETURNING order_id
      ), ended AS (
        DELETE FROM inventory.holds USING added WHERE holds.order_id = added.order_id
      )${
        kind === 'released'
          ? `, given_back AS (
        DELETE FROM inventory.reservation_lines USING added WHERE reservation_lines.order_id = added.order_id
      )`
          : ''
      }
      SELECT (SELECT count(*) FROM added) AS added, ARRAY(
        SELECT given.order_id FROM given WHERE NOT EXISTS (
          SELECT FROM inventory.outcomes WHERE outcomes.order_id = given.order_id AND outcomes.kind = 'reserved'
        )) AS contradicting`,
    values: [
      events.map(({ orderID }) => orderID),
      released.map(event => event?.cause),
      events.map(event => requestOf(event, kind)),
      events.map(({ sequence }) => sequence),
      events.map(event => time('releasedAtMs' in event ? event.releasedAtMs : event.confirmedAtMs))
    ]
  }
}

/**
 * Inserts movements, and marks existing ones as published. An idempotency key that another movement
 * has is left out, because its caller repeated the adjustment after the restore. Returns the
 * movements of such keys.
 */
export function addMovements(events: readonly StockMoved[]): Statement {
  return {
    name: 'reconcile-movements',
    text: `WITH given AS (
        SELECT DISTINCT ON (movement_id) movement_id::uuid, sequence, sku, kind, delta, available, reserved, by_whom, reason,
          event.caller, event.key, moved_at, EXISTS (
            SELECT FROM inventory.stock_movements AS other
            WHERE other.caller = event.caller AND other.idempotency_key = event.key
              AND other.movement_id <> event.movement_id::uuid
          ) AS is_repeated
        FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[], $8::text[],
          $9::text[], $10::text[], $11::text[], $12::timestamptz[])
          AS event (movement_id, sequence, sku, kind, delta, available, reserved, by_whom, reason, caller, key, moved_at)
      ), marked AS (
        UPDATE inventory.stock_movements AS known SET published = true FROM given
        WHERE known.movement_id = given.movement_id AND NOT known.published
      ), added AS (
        INSERT INTO inventory.stock_movements (movement_id, sequence, sku, kind, delta, available, reserved, by_whom, reason,
          caller, idempotency_key, moved_at, published)
        SELECT movement_id, sequence, sku, kind, delta, available, reserved, by_whom, reason,
          CASE WHEN is_repeated THEN NULL ELSE caller END, CASE WHEN is_repeated THEN NULL ELSE key END, moved_at, true
        FROM given
        ON CONFLICT (movement_id) DO NOTHING
        RETURNING movement_id
      )
      SELECT (SELECT count(*) FROM added) AS added, ARRAY(
        SELECT movement_id::text FROM given JOIN added USING (movement_id) WHERE is_repeated) AS contradicting`,
    values: [
      events.map(({ movementID }) => movementID),
      events.map(({ sequence }) => sequence),
      events.map(({ sku }) => sku),
      events.map(({ kind }) => kind),
      events.map(({ delta }) => delta),
      events.map(({ available }) => available),
      events.map(({ reserved }) => reserved),
      events.map(({ by }) => by),
      events.map(({ reason }) => reason),
      events.map(({ caller }) => caller),
      events.map(({ idempotencyKey }) => idempotencyKey),
      events.map(({ movedAtMs }) => time(movedAtMs))
    ]
  }
}

/**
 * Records that the inventory has read and that have no row yet: orders without an outcome, and
 * cancels of such orders.
 */
export const createUnexplained = `CREATE TEMPORARY TABLE IF NOT EXISTS unexplained (
    topic text NOT NULL, partition integer NOT NULL, record_offset bigint NOT NULL,
    order_id text COLLATE "C" NOT NULL, user_id text NOT NULL, caller text, at timestamptz NOT NULL,
    PRIMARY KEY (topic, partition, record_offset)
  )`

export interface ReadRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly orderID: string
  readonly userID: string
  readonly caller: string | undefined
  readonly atMs: number
}

/** Inserts the records whose order has no outcome into the table `unexplained`. */
export function keepUnexplained(records: readonly ReadRecord[]): Statement {
  return {
    name: 'reconcile-keep',
    text: `INSERT INTO unexplained
      SELECT * FROM unnest($1::text[], $2::integer[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::timestamptz[])
        AS record (topic, partition, record_offset, order_id, user_id, caller, at)
      WHERE NOT EXISTS (SELECT FROM inventory.outcomes WHERE outcomes.order_id = record.order_id)
      ON CONFLICT DO NOTHING`,
    values: [
      records.map(({ topic }) => topic),
      records.map(({ partition }) => partition),
      records.map(({ offset }) => offset),
      records.map(({ orderID }) => orderID),
      records.map(({ userID }) => userID),
      records.map(({ caller }) => caller),
      records.map(({ atMs }) => time(atMs))
    ]
  }
}

/** Removes records that became dead letters, because they were never decided. */
export function explainDeadLetters(
  sources: readonly { readonly topic: string; readonly partition: number; readonly offset: bigint }[]
): Statement {
  return {
    name: 'reconcile-dead-letters',
    text: `DELETE FROM unexplained USING unnest($1::text[], $2::integer[], $3::bigint[]) AS letter (topic, partition, record_offset)
      WHERE unexplained.topic = letter.topic AND unexplained.partition = letter.partition
        AND unexplained.record_offset = letter.record_offset`,
    values: [
      sources.map(({ topic }) => topic),
      sources.map(({ partition }) => partition),
      sources.map(({ offset }) => Number(offset))
    ]
  }
}

/**
 * Inserts the outcomes of orders that were cancelled before they were decided. Such an outcome has
 * no event until its order is read. It follows from the log: the inventory has read a cancel of an
 * order that it has not read and that has no outcome.
 */
export const addEarlyCancels = `WITH added AS (
    INSERT INTO inventory.outcomes (order_id, user_id, caller, kind, reason, shortages, sequence, decided_at)
    SELECT DISTINCT ON (order_id) order_id, user_id, caller, 'failed', '${failureReasons.cancelled}', '[]'::jsonb,
      nextval('inventory.decisions'), at
    FROM unexplained AS cancel WHERE topic = $1
      AND NOT EXISTS (SELECT FROM unexplained AS read WHERE read.topic = $2 AND read.order_id = cancel.order_id)
    ORDER BY order_id, record_offset
    ON CONFLICT DO NOTHING
    RETURNING order_id
  )
  SELECT count(*) AS count FROM added`

/**
 * Selects the SKUs whose stock differs from the sum of their movements minus their reservations.
 */
export const stockDifferences = `WITH moved AS (
    SELECT sku, sum(delta)::bigint AS pieces FROM inventory.stock_movements GROUP BY sku
  ), held AS (
    SELECT sku, sum(quantity)::bigint AS pieces FROM inventory.reservation_lines GROUP BY sku
  ), computed AS (
    SELECT sku, coalesce(moved.pieces, 0) AS moved, coalesce(held.pieces, 0) AS held
    FROM moved FULL JOIN held USING (sku) FULL JOIN inventory.stock USING (sku)
  )
  SELECT sku, coalesce(stock.available, 0) AS "availableBefore", coalesce(stock.reserved, 0) AS "reservedBefore",
    computed.moved - computed.held AS available, computed.held AS reserved
  FROM computed LEFT JOIN inventory.stock USING (sku)
  WHERE stock.sku IS NULL OR stock.available <> computed.moved - computed.held OR stock.reserved <> computed.held
  ORDER BY sku`

export interface StockDifference {
  readonly sku: string
  readonly availableBefore: number
  readonly reservedBefore: number
  /** Negative if a movement is missing. */
  readonly available: number
  readonly reserved: number
}

export function setStock(levels: readonly Pick<StockDifference, 'sku' | 'available' | 'reserved'>[]): Statement {
  return {
    name: 'reconcile-stock',
    text: `INSERT INTO inventory.stock AS known (sku, available, reserved)
      SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[])
      ON CONFLICT (sku) DO UPDATE SET available = excluded.available, reserved = excluded.reserved`,
    values: [
      levels.map(({ sku }) => sku),
      levels.map(({ available }) => available),
      levels.map(({ reserved }) => reserved)
    ]
  }
}

/** Adds the movement that must have existed, because the reserved pieces were on the shelf. */
export function addInferredMovements(short: readonly StockDifference[]): Statement {
  return {
    name: 'reconcile-inferred',
    text: `INSERT INTO inventory.stock_movements (sku, kind, delta, available, reserved, by_whom, reason)
      SELECT sku, 'adjust', delta, 0, reserved, 'orderly reconcile', 'inferred: orders had reserved these pieces, and the movement was lost'
      FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS short (sku, delta, reserved)`,
    values: [
      short.map(({ sku }) => sku),
      short.map(({ available }) => -available),
      short.map(({ reserved }) => reserved)
    ]
  }
}

/**
 * Movements whose recorded level is not the sum of the movements up to them: a preceding movement
 * is missing.
 */
export const brokenChains = `SELECT sku, movement_id::text AS "movementID", (available + reserved - total)::bigint AS missing
  FROM (SELECT *, sum(delta) OVER (PARTITION BY sku ORDER BY sequence) AS total FROM inventory.stock_movements) AS movement
  WHERE available + reserved <> total ORDER BY sku, sequence`

/** Raises the sequence of decisions above all numbers in use. */
export const raiseSequence = `SELECT setval('inventory.decisions', greatest($1::bigint, last_value)) FROM inventory.decisions`

/** Newest time in the restored tables, which is about the time of the backup. */
export const newestTime = `SELECT greatest(
    (SELECT max(decided_at) FROM inventory.outcomes), (SELECT max(settled_at) FROM inventory.settlements),
    (SELECT max(moved_at) FROM inventory.stock_movements)) AS newest`

/** API keys with the times of their changes, and whether they are valid now. */
export const keysOf = `SELECT id, caller AS name, created_at, revoked_at,
    revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now()) AS "isValid"
  FROM callers.api_keys ORDER BY caller, created_at`
