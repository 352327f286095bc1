import {
  type Decision,
  isUniqueViolation,
  orUnavailable,
  readDecideWrite,
  retryConflicts,
  runStatement,
  type Statement
} from '@orderly/postgres'
import type { Pool, QueryResultRow } from 'pg'
import { adjustStock, availableFor, type StockCount } from '../domain/stock-count.ts'
import type { AdjustmentRequest, AdjustmentResult, MovementCause, SetResult, StockAdmin } from './stock-admin.ts'
import * as statements from './stock-admin-statements.ts'
import type { StockLevel } from './stock-store.ts'

/**
 * Creates the stock operations on the schema `inventory`. A change locks its SKU rows, as a batch
 * of orders does, so they are serialized.
 */
export function createPostgresStockAdmin(pool: Pool): StockAdmin {
  async function rows<Row extends QueryResultRow>(statement: Statement<Row>): Promise<Row[]> {
    return (await orUnavailable(runStatement(pool, statement))).rows
  }

  return {
    level: async sku => (await rows(statements.selectLevel(sku)))[0],
    set: (counts, cause) => afterConflicts(() => set(pool, counts, cause)),
    adjust: (request, cause) => afterConflicts(() => adjust(pool, request, cause)),
    page: ({ after, limit }) => rows(statements.pageOfLevels(after, limit)),
    movements: (sku, { before, limit }) => rows(statements.movementsOf(sku, before, limit))
  }
}

/** Error for counts below the reserved pieces; thrown inside the transaction to roll it back. */
class BelowReserved extends Error {
  readonly levels: readonly StockLevel[]

  constructor(levels: readonly StockLevel[]) {
    super('onHand is below the reserved pieces')
    this.levels = levels
  }
}

async function set(pool: Pool, counts: ReadonlyMap<string, StockCount>, cause: MovementCause): Promise<SetResult> {
  const skus = [...counts.keys()]
  // New SKUs are inserted first, so that every changed row is locked and has a previous level.
  const reads = [statements.addSKUs(skus), statements.lockLevels(skus)] as const
  try {
    return await readDecideWrite(pool, reads, ([, locked]) => {
      const moved: statements.Moved[] = []
      const refused: StockLevel[] = []
      for (const level of locked) {
        const { sku, available: before, reserved } = level
        const count = counts.get(sku) as StockCount
        const available = availableFor(count, reserved)
        if (available === undefined) refused.push(level)
        else {
          const kind = 'onHand' in count ? 'count' : 'set'
          moved.push({ kind, level: { sku, available, reserved }, delta: available - before })
        }
      }
      if (refused.length > 0) throw new BelowReserved(refused)
      const levels = moved.map(({ level }) => level)
      const writes = [statements.writeAvailable(levels), statements.insertMovements(moved, cause)]
      return { writes, result: { kind: 'set', levels } }
    })
  } catch (error) {
    if (error instanceof BelowReserved) return { kind: 'below-reserved', levels: error.levels }
    throw error
  }
}

function adjust(pool: Pool, request: AdjustmentRequest, cause: MovementCause): Promise<AdjustmentResult> {
  const { sku, delta, key } = request
  // The lock is acquired first, so that the search sees what the previous lock holder committed.
  const reads = [statements.lockLevels([sku]), statements.findAdjustment(key)] as const
  return readDecideWrite(pool, reads, ([[before], [known]]): Decision<AdjustmentResult> => {
    if (known !== undefined) {
      const isSame = known.sku === sku && known.delta === delta && known.reason === (cause.reason ?? null)
      const { available, reserved } = known
      const level = { sku, available, reserved }
      return { writes: [], result: isSame ? { kind: 'adjusted', level, isReplay: true } : { kind: 'key-conflict' } }
    }
    const adjusted = adjustStock(before?.available, delta)
    if (adjusted.kind !== 'adjusted') return { writes: [], result: adjusted }
    const level = { sku, available: adjusted.available, reserved: before?.reserved ?? 0 }
    const writes = [
      statements.writeAvailable([level]),
      statements.insertMovements([{ kind: 'adjust', level, delta }], cause, key)
    ]
    return { writes, result: { kind: 'adjusted', level, isReplay: false } }
  })
}

/**
 * Retries conflicts. If one key is used for two SKUs concurrently, the retry finds the first
 * adjustment.
 */
function afterConflicts<Result>(work: () => Promise<Result>): Promise<Result> {
  return orUnavailable(retryConflicts(work, error => isUniqueViolation(error, 'stock_movements_once')))
}
