import { fileURLToPath } from 'node:url'
import {
  isPostgresConflict,
  isUniqueViolation,
  readDecideWrite,
  retryTransient,
  type Statement
} from '@orderly/postgres'
import type { Pool, QueryResult, QueryResultRow } from 'pg'
import type { Outcome } from '../domain/decide.ts'
import { type DecidedOrder, decideOnce } from '../domain/decide-once.ts'
import type { OrderToDecide } from '../domain/order.ts'
import { createPostgresKeeping } from './postgres-keeping.ts'
import * as statements from './statements.ts'
import type { StockLevel, StockStore } from './stock-store.ts'

/** For `migrate`. */
export const inventorySchema = { schema: 'inventory', directory: fileURLToPath(new URL('migrations', import.meta.url)) }

/**
 * For `createPool`. A prepared statement keeps the plan it got first; on tables that were still empty that would be to read
 * all of them, and each batch would take longer than the one before until somebody analyzes the tables.
 */
export const inventorySessionSettings = { enable_seqscan: 'off' }

/**
 * Stock and outcomes in the schema `inventory`.
 *
 * A batch is one transaction of two round trips: lock its stock rows and look for outcomes it already has; decide in memory;
 * write everything. Batches that share a SKU go one after the other, in full.
 *
 * Who may decide an order: whoever gets its row into `outcomes` first. Nothing else is asked, neither who owns the
 * partition nor how old the caller is. So an instance that was frozen, replaced and woke up again does no harm. If its
 * orders were decided meanwhile, it finds their outcomes, or its insert fails and with it all it wanted to take. If
 * they were not, its outcome is the one that its successor finds and publishes.
 */
export function createPostgresStore(pool: Pool, nowMs: () => number = Date.now): StockStore {
  const keeping = createPostgresKeeping(pool)
  return {
    async decide(orders) {
      if (orders.length === 0) return []
      return retryTransient(() => decideBatch(pool, orders, nowMs), {
        isTransient: hasLostRace,
        attempts: 10,
        firstDelayMs: 2,
        maxDelayMs: 200
      })
    },

    async setAvailable(pieces) {
      await keeping.set(pieces, { by: 'inventory' })
    },

    async addMissing(pieces) {
      return (await run(pool, statements.addMissing(pieces))).rowCount ?? 0
    },

    async levels(skus) {
      return (await run<StockLevel>(pool, statements.selectLevels(skus))).rows
    }
  }
}

/** The other transaction is over by then: the next try finds what it left. */
function hasLostRace(error: unknown): boolean {
  return isUniqueViolation(error, 'outcomes_pkey') || isPostgresConflict(error)
}

function decideBatch(
  pool: Pool,
  orders: readonly OrderToDecide[],
  nowMs: () => number
): Promise<readonly DecidedOrder[]> {
  const skus = new Set(orders.flatMap(({ items }) => items.map(({ sku }) => sku)))
  const orderIDs = new Set(orders.map(({ orderID }) => orderID))
  // In this sequence: the search starts when the locks are held and so sees what their last holder committed.
  const reads = [statements.lockStock([...skus]), statements.findOutcomes([...orderIDs])]

  return readDecideWrite(pool, reads, ([stockRows = [], outcomeRows = []]) => {
    const available = new Map(stockRows.map(({ sku, available }) => [sku, available]))
    const remembered = new Map(outcomeRows.map(row => [row.order_id, toOutcome(row)]))
    const decidedAtMs = nowMs()
    const { decided, fresh } = decideOnce(remembered, available, orders, decidedAtMs)
    if (fresh.outcomes.length === 0) return { writes: [], result: decided }
    const writes = [statements.insertOutcomes(fresh.outcomes, new Date(decidedAtMs))]
    if (fresh.taken.size > 0) {
      writes.push(statements.takeStock(fresh.taken), statements.insertReservationLines(fresh.outcomes))
    }
    return { writes, result: decided }
  })
}

function toOutcome({ order_id: orderID, user_id: userID, decided_at, ...row }: QueryResultRow): Outcome {
  const decidedAtMs = decided_at.getTime()
  return row.kind === 'reserved'
    ? { kind: 'reserved', event: { orderID, userID, items: row.items, decidedAtMs } }
    : { kind: 'failed', event: { orderID, userID, reason: row.reason, shortages: row.shortages, decidedAtMs } }
}

function run<Row extends QueryResultRow>(pool: Pool, { name, text, values }: Statement): Promise<QueryResult<Row>> {
  return pool.query<Row>({ name, text, values: [...values] })
}
