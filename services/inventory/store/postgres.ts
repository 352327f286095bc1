import { type PostgresPositions, readDecideWriteWith, type Saving } from '@orderly/positions'
import { isUniqueViolation, retryConflicts, runStatement, type Statement } from '@orderly/postgres'
import type { Pool } from 'pg'
import { type Batch, type DecidedBatch, decideBatch, type Fresh } from '../domain/decide-batch.ts'
import type { Settlement } from '../domain/decide-change.ts'
import type { Stamp } from '../domain/decide-order.ts'
import { type HoldLimits, limitedHolders, noHoldLimits } from '../domain/hold-limits.ts'
import { toOrderStates } from './rows.ts'
import * as statements from './statements.ts'
import type { StockStore } from './stock-store.ts'

export interface StoreOptions {
  readonly nowMs?: () => number
  readonly limits?: HoldLimits
  readonly positions?: Pick<PostgresPositions, 'saving'>
}

/**
 * Creates a store of stock, outcomes and settlements in the schema `inventory`.
 *
 * A batch is one transaction with two round trips. The first locks its stock rows and reads what is
 * stored about its orders. The decision is made in memory. The second writes everything. Batches
 * that share a SKU are serialized.
 *
 * The first instance to insert the row of an order into `outcomes` decides it; partition ownership
 * is not checked. A zombie therefore does no harm. If its orders were decided meanwhile, it reads
 * their outcomes, or its insert fails and its transaction is rolled back. Otherwise its replacement
 * reads and publishes the zombie's outcomes. A cancel of an undecided order inserts the same row.
 *
 * A change request locks the SKUs of its order before it reads the order, so concurrent changes of
 * one order are serialized.
 */
export function createPostgresStore(
  pool: Pool,
  { nowMs = Date.now, limits = noHoldLimits, positions }: StoreOptions = {}
): StockStore {
  return {
    async decide(batch, advances = []) {
      if (batch.orders.length + batch.changes.length + advances.length === 0) return { orders: [], changes: [] }
      const saving = { positions, advances }
      return retryConflicts(() => decideInTransaction(pool, batch, { nowMs, limits }, saving), hasLostRace)
    },

    async takeDueHolds(atMs, { limit, againAfterMs }) {
      const statement = statements.takeDueHolds(new Date(atMs), limit, new Date(atMs + againAfterMs))
      const { rows } = await runStatement(pool, statement)
      return rows.map(({ caller, ...hold }) => (caller === null ? hold : { ...hold, caller }))
    },

    async addMissing(pieces) {
      return (await runStatement(pool, statements.addMissing(pieces))).rowCount ?? 0
    }
  }
}

const settlementKeys = ['settlements_pkey', 'settlements_one_release', 'settlements_one_confirmation']

/**
 * Returns whether another transaction won a race. It has ended by then, so a retry sees its result.
 */
function hasLostRace(error: unknown): boolean {
  return (
    error instanceof HeldMeanwhile ||
    isUniqueViolation(error, 'outcomes_pkey') ||
    settlementKeys.some(key => isUniqueViolation(error, key))
  )
}

/** Error for an order that was reserved after this transaction had chosen the SKUs to lock. */
class HeldMeanwhile extends Error {}

function decideInTransaction(
  pool: Pool,
  batch: Batch,
  { nowMs, limits }: { readonly nowMs: () => number; readonly limits: HoldLimits },
  saving: Saving
): Promise<DecidedBatch> {
  const skus = [...new Set(batch.orders.flatMap(({ items }) => items.map(({ sku }) => sku)))]
  const changed = [...new Set(batch.changes.map(({ orderID }) => orderID))]
  const orderIDs = [...new Set([...batch.orders.map(({ orderID }) => orderID), ...changed])]
  // The locks are acquired first, so that the searches see what the previous lock holders
  // committed.
  const hasChanges = changed.length > 0
  const holders = limitedHolders(batch.orders, limits)
  const hasLimits = holders.length > 0
  const reads = [
    hasChanges ? statements.lockStockAndHeld(skus, changed) : statements.lockStock(skus),
    statements.drawSequences(batch.orders.length + batch.changes.length),
    statements.findOutcomes(orderIDs),
    hasChanges ? statements.findSettlements(changed) : undefined,
    hasLimits ? statements.lockHolders(holders) : undefined,
    hasLimits ? statements.heldPieces(holders) : undefined
  ] as const

  return readDecideWriteWith(pool, saving, reads, ([stock, [numbers], outcomeRows, settlementRows, , heldRows]) => {
    const held = new Map(heldRows.map(({ holder, pieces }) => [holder, pieces]))
    const available = new Map(stock.map(({ sku, available }) => [sku, available]))
    const known = toOrderStates(outcomeRows, settlementRows)
    const decidedAtMs = nowMs()
    const stamp = toStamp(decidedAtMs, numbers?.drawn ?? '')
    const { fresh, ...result } = decideBatch(known, available, batch, stamp, { limits, held })
    const isLocked = ({ event }: Settlement) => event.items.every(({ sku }) => available.has(sku))
    if (!fresh.settlements.every(isLocked)) throw new HeldMeanwhile()
    return { writes: writesOf(fresh, new Date(decidedAtMs)), result }
  })
}

/**
 * Creates the time and the sequence numbers of the decisions in a batch.
 * @param drawn sequence numbers that the database has drawn, separated by commas: one per record of
 * the batch. A record causes at most one decision.
 */
function toStamp(atMs: number, drawn: string): Stamp {
  const numbers = drawn.split(',').values()
  return { atMs, nextSequence: () => Number(numbers.next().value) }
}

function writesOf({ settlements, outcomes, moved }: Fresh, decidedAt: Date): Statement[] {
  const writes: Statement[] = []
  if (settlements.length > 0) {
    const released = settlements.filter(({ kind }) => kind === 'released')
    writes.push(
      statements.insertSettlements(settlements, decidedAt),
      statements.deleteHolds(settlements.map(({ event }) => event.orderID)),
      statements.deleteReservationLines(released.map(({ event }) => event.orderID))
    )
  }
  if (outcomes.length > 0) {
    const held = outcomes.filter(({ kind, event }) => kind === 'reserved' && event.holdUntilMs !== null)
    writes.push(statements.insertOutcomes(outcomes, decidedAt))
    if (outcomes.some(({ kind }) => kind === 'reserved')) writes.push(statements.insertReservationLines(outcomes))
    if (held.length > 0) writes.push(statements.insertHolds(held))
  }
  if (moved.size > 0) writes.push(statements.moveStock(moved))
  return writes
}
