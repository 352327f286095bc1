import type { InventoryReserved, Shortage, StockMoved } from '@orderly/contracts'
import { columnsOf } from '@orderly/postgres'
import type { OrderState, Settlement } from '../domain/decide-change.ts'
import type { Outcome } from '../domain/decide-order.ts'
import type { StockMovement } from './stock-admin.ts'
import type { DueHold, StockLevel } from './stock-store.ts'

/** The rows of each table and their columns. No other file names a column of a result. */

/** Row of `inventory.outcomes`. */
export interface OutcomeRow {
  readonly orderID: string
  readonly userID: string
  readonly caller: string | null
  readonly kind: Outcome['kind']
  readonly sequence: number
  /** Null if the order failed. */
  readonly items: InventoryReserved['items'] | null
  /** Null if the order was reserved, as are the shortages. */
  readonly reason: string | null
  readonly shortages: Shortage[] | null
  readonly decidedAt: Date
  readonly holdUntil: Date | null
}

export const outcomeColumns = columnsOf<OutcomeRow>({
  orderID: 'order_id',
  userID: 'user_id',
  caller: 'caller',
  kind: 'kind',
  sequence: 'sequence',
  items: 'items',
  reason: 'reason',
  shortages: 'shortages',
  decidedAt: 'decided_at',
  holdUntil: 'hold_until'
})

/** Row of `inventory.settlements`. */
export interface SettlementRow {
  readonly orderID: string
  readonly kind: Settlement['kind']
  /** Null for a confirmation. */
  readonly cause: string | null
  readonly requestID: string
  readonly sequence: number
  readonly settledAt: Date
  readonly topicID: string | null
  /** Null if the row was rebuilt from its event, as is the offset. */
  readonly partition: number | null
  readonly offset: number | null
}

export const settlementColumns = columnsOf<SettlementRow>({
  orderID: 'order_id',
  kind: 'kind',
  cause: 'cause',
  requestID: 'request_id',
  sequence: 'sequence',
  settledAt: 'settled_at',
  topicID: 'changes_topic_id',
  partition: 'changes_partition',
  offset: 'changes_offset'
})

/** Columns of `inventory.stock`. */
export const levelColumns = columnsOf<StockLevel>({ sku: 'sku', available: 'available', reserved: 'reserved' })

/** Row of `inventory.holds`, joined with its outcome. */
export interface DueHoldRow extends Omit<DueHold, 'caller'> {
  readonly caller: string | null
}

export const dueHoldColumns = columnsOf<DueHoldRow>({
  orderID: 'holds.order_id',
  userID: 'holds.user_id',
  caller: 'holds.caller',
  holdUntilMs: '(extract(epoch FROM hold_until) * 1000)::bigint'
})

const movedAtMs = 'floor(extract(epoch FROM moved_at) * 1000)::bigint'

/** Columns of `inventory.stock_movements`, for operators. */
export const movementColumns = columnsOf<StockMovement>({
  id: 'sequence',
  sku: 'sku',
  kind: 'kind',
  delta: 'delta',
  available: 'available',
  reserved: 'reserved',
  by: 'by_whom',
  reason: 'reason',
  movedAtMs,
  idempotencyKey: 'idempotency_key'
})

/** Columns of `inventory.stock_movements`, for the topic. */
export const stockMovedColumns = columnsOf<StockMoved>({
  movementID: 'movement_id::text',
  sequence: 'sequence',
  sku: 'sku',
  kind: 'kind',
  delta: 'delta',
  available: 'available',
  reserved: 'reserved',
  by: 'by_whom',
  reason: 'reason',
  caller: 'caller',
  idempotencyKey: 'idempotency_key',
  movedAtMs
})

/**
 * Converts rows to the state of orders. Events that are created from it are identical to the
 * original ones.
 */
export function toOrderStates(
  outcomeRows: readonly OutcomeRow[],
  settlementRows: readonly SettlementRow[]
): ReadonlyMap<string, OrderState> {
  const known = new Map<string, OrderState>(outcomeRows.map(row => [row.orderID, { outcome: toOutcome(row) }]))
  for (const row of settlementRows) {
    const order = known.get(row.orderID)
    if (order?.outcome.kind !== 'reserved') continue
    known.set(row.orderID, { ...order, [row.kind]: toSettlement(row, order.outcome) })
  }
  return known
}

function toOutcome({ orderID, userID, caller, kind, sequence, decidedAt, ...row }: OutcomeRow): Outcome {
  const owner = caller === null ? {} : { caller }
  const decidedAtMs = decidedAt.getTime()
  if (kind === 'failed') {
    const { reason, shortages } = row as { reason: string; shortages: Shortage[] }
    return { ...owner, kind, event: { orderID, userID, reason, shortages, decidedAtMs, sequence } }
  }
  const items = row.items as InventoryReserved['items']
  const holdUntilMs = row.holdUntil === null ? null : row.holdUntil.getTime()
  return { ...owner, kind, event: { orderID, userID, items, decidedAtMs, holdUntilMs, sequence } }
}

function toSettlement(
  { kind, cause, requestID, sequence, settledAt, topicID, partition, offset }: SettlementRow,
  { caller, event: { orderID, userID, items } }: Extract<Outcome, { kind: 'reserved' }>
): Settlement {
  const atMs = settledAt.getTime()
  const known = {
    ...(caller !== undefined && { caller }),
    ...(partition !== null &&
      offset !== null && { position: { ...(topicID !== null && { topicID }), partition, offset } })
  }
  const request = { requestID, sequence }
  return kind === 'released'
    ? { ...known, kind, event: { orderID, userID, items, cause: cause as string, releasedAtMs: atMs, ...request } }
    : { ...known, kind, event: { orderID, userID, items, confirmedAtMs: atMs, ...request } }
}
