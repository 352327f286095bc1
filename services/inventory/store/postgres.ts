import { type PostgresPositions, readDecideWriteWith, type Saving } from '@orderly/positions'
import { isPostgresConflict, isUniqueViolation, retryTransient, runStatement, type Statement } from '@orderly/postgres'
import type { Pool } from 'pg'
import { type Batch, type DecidedBatch, decideBatch, type Fresh } from '../domain/decide-batch.ts'
import type { Settlement } from '../domain/decide-changes.ts'
import { type HoldLimits, limitedHolders, noHoldLimits } from '../domain/hold-limits.ts'
import type { Stamp } from '../domain/stamp.ts'
import { createPostgresKeeping } from './postgres-keeping.ts'
import { toKnownOrders } from './rows.ts'
import * as statements from './statements.ts'
import type { DueHold, StockLevel, StockStore } from './stock-store.ts'

export interface StoreOptions {
  readonly nowMs?: () => number
  readonly limits?: HoldLimits
  readonly positions?: Pick<PostgresPositions, 'saving'>
}

/**
 * Stock, outcomes and what became of them in the schema `inventory`.
 *
 * A batch is one transaction of two round trips: lock its stock rows and look for what is known of its orders; decide in memory;
 * write everything. Batches that share a SKU go one after the other, in full.
 *
 * Who may decide an order: whoever gets its row into `outcomes` first. Nothing else is asked, neither who owns the
 * partition nor how old the caller is. So an instance that was frozen, replaced and woke up again does no harm. If its
 * orders were decided meanwhile, it finds their outcomes, or its insert fails and with it all it wanted to take. If
 * they were not, its outcome is the one that its successor finds and publishes. A cancel that comes before its order gets that
 * row, too: whether it was in time is decided as everything else is.
 *
 * Changes of a reserved order lock the stock that it holds before they look at it, so of two that meet one is first for everybody.
 */
export function createPostgresStore(
  pool: Pool,
  { nowMs = Date.now, limits = noHoldLimits, positions }: StoreOptions = {}
): StockStore {
  const keeping = createPostgresKeeping(pool)
  return {
    async decide(batch, advances = []) {
      if (batch.orders.length + batch.changes.length + advances.length === 0) return { orders: [], changes: [] }
      return retryTransient(() => decideInTransaction(pool, batch, { nowMs, limits }, { positions, advances }), {
        isTransient: hasLostRace,
        attempts: 10,
        firstDelayMs: 2,
        maxDelayMs: 200
      })
    },

    async takeDueHolds(atMs, { limit, againAfterMs }) {
      const statement = statements.takeDueHolds(new Date(atMs), limit, new Date(atMs + againAfterMs))
      const { rows } = await runStatement<DueHold & { caller: string | null }>(pool, statement)
      return rows.map(({ caller, ...hold }) => (caller === null ? hold : { ...hold, caller }))
    },

    async setAvailable(pieces) {
      const counts = new Map([...pieces].map(([sku, available]) => [sku, { available }]))
      await keeping.set(counts, { by: 'inventory' })
    },

    async addMissing(pieces) {
      return (await runStatement(pool, statements.addMissing(pieces))).rowCount ?? 0
    },

    async levels(skus) {
      return (await runStatement<StockLevel>(pool, statements.selectLevels(skus))).rows
    }
  }
}

const settlementKeys = ['settlements_pkey', 'settlements_one_release', 'settlements_one_confirmation']

/** The other transaction is over by then: the next try finds what it left. */
function hasLostRace(error: unknown): boolean {
  return (
    error instanceof HeldMeanwhile ||
    isUniqueViolation(error, 'outcomes_pkey') ||
    settlementKeys.some(key => isUniqueViolation(error, key)) ||
    isPostgresConflict(error)
  )
}

/** An order was reserved after its stock would have been locked. */
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
  // In this sequence: the search starts when the locks are held and so sees what their last holder committed.
  const isWithoutChanges = changed.length === 0
  const reads = [
    isWithoutChanges ? statements.lockStock(skus) : statements.lockStockAndHeld(skus, changed),
    statements.drawSequences(batch.orders.length + batch.changes.length),
    statements.findOutcomes(orderIDs),
    ...(isWithoutChanges ? [] : [statements.findSettlements(changed)])
  ]
  const holders = limitedHolders(batch.orders, limits)
  const counts = holders.length === 0 ? [] : [statements.lockHolders(holders), statements.heldPieces(holders)]

  return readDecideWriteWith(pool, saving, [...reads, ...counts], answers => {
    const [stockRows = [], numbers = [], outcomeRows = [], settlementRows = []] = answers.slice(0, reads.length)
    const heldRows = counts.length === 0 ? [] : (answers[reads.length + 1] ?? [])
    const held = new Map(heldRows.map(({ holder, pieces }) => [holder, pieces]))
    const available = new Map(stockRows.map(({ sku, available }) => [sku, available]))
    const known = toKnownOrders(outcomeRows, settlementRows)
    const decidedAtMs = nowMs()
    const { fresh, ...result } = decideBatch(known, available, batch, toStamp(decidedAtMs, numbers[0]?.drawn), {
      limits,
      held
    })
    const isLocked = ({ event }: Settlement) => event.items.every(({ sku }) => available.has(sku))
    if (!fresh.settlements.every(isLocked)) throw new HeldMeanwhile()
    return { writes: writesOf(fresh, new Date(decidedAtMs)), result }
  })
}

/** @param drawn as many numbers as the batch has records, which is one for each decision at least */
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
