import type { QueryResultRow } from 'pg'
import type { Outcome } from '../domain/decide.ts'
import type { OrderState, Settlement } from '../domain/decide-changes.ts'

/**
 * Converts rows to the state of orders. Events that are created from it are identical to the
 * original ones.
 */
export function toOrderStates(
  outcomeRows: readonly QueryResultRow[],
  settlementRows: readonly QueryResultRow[]
): ReadonlyMap<string, OrderState> {
  const known = new Map<string, OrderState>(outcomeRows.map(row => [row.order_id, { outcome: toOutcome(row) }]))
  for (const row of settlementRows) {
    const order = known.get(row.order_id)
    if (order?.outcome.kind !== 'reserved') continue
    known.set(row.order_id, { ...order, [row.kind]: toSettlement(row, order.outcome) })
  }
  return known
}

function toOutcome(row: QueryResultRow): Outcome {
  const { order_id: orderID, user_id: userID, sequence, decided_at, hold_until } = row
  const owner = row.caller === null ? {} : { caller: row.caller }
  const decidedAtMs = decided_at.getTime()
  const holdUntilMs = hold_until === null ? null : hold_until.getTime()
  return row.kind === 'reserved'
    ? { ...owner, kind: 'reserved', event: { orderID, userID, items: row.items, decidedAtMs, holdUntilMs, sequence } }
    : {
        ...owner,
        kind: 'failed',
        event: { orderID, userID, reason: row.reason, shortages: row.shortages, decidedAtMs, sequence }
      }
}

function toSettlement(
  { kind, cause, request_id: requestID, sequence, settled_at, ...row }: QueryResultRow,
  { caller, event: { orderID, userID, items } }: Extract<Outcome, { kind: 'reserved' }>
): Settlement {
  const atMs = settled_at.getTime()
  const { changes_topic_id: topicID, changes_partition: partition, changes_offset: offset } = row
  const known = {
    ...(caller !== undefined && { caller }),
    ...(partition !== null && { place: { ...(topicID !== null && { topicID }), partition, offset } })
  }
  const request = { requestID, sequence }
  return kind === 'released'
    ? { ...known, kind, event: { orderID, userID, items, cause, releasedAtMs: atMs, ...request } }
    : { ...known, kind, event: { orderID, userID, items, confirmedAtMs: atMs, ...request } }
}
