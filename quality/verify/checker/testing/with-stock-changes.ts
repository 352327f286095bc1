import { topicNames } from '@orderly/contracts'
import type { History, RecordedRecord } from '../../history/history.ts'
import type { MovementRow, StockChange, StockHistory, StockLevel, StockRead } from '../../history/stock.ts'
import { createRandom } from '../../plan/random.ts'
import { sumBySKU } from '../evidence.ts'
import { withReads } from './with-reads.ts'

const newSKU = 'NEW-1'

/**
 * Adds the stock changes of an operator to a clean history: pieces that are added to a SKU and removed
 * again before the next decision, and a new SKU that is set, counted and adjusted. Some answers are
 * lost, and some adjustments are repeated or refused.
 */
export function withStockChanges(history: History): History {
  const random = createRandom(history.seed, 'stock changes')
  const movements: MovementRow[] = Object.entries(history.initialStock).map(([sku, delta], index) => {
    return movementOf({ sku, kind: 'seed', delta, sequence: index - 1_000, available: delta, reserved: 0 })
  })
  const changes: StockChange[] = []
  const reads: StockRead[] = []
  let nowMs = history.startedAtMs
  const change = (sku: string, level: StockLevel, { delta, kind, sequence }: Moved) => {
    nowMs += 100
    const id = `change-${changes.length}`
    const key = kind === 'adjust' ? id : null
    const { available, reserved, onHand } = level
    movements.push(movementOf({ sku, kind, delta, sequence, available, reserved, reason: id, idempotencyKey: key }))
    const planned = {
      adjust: { kind: 'adjust', delta, key: id },
      set: { kind: 'set', available },
      count: { kind: 'count', onHand }
    }
    const attempt = (result: StockChange['result'], atMs: number) =>
      changes.push({
        id,
        sku,
        change: planned[kind] as StockChange['change'],
        sentAtMs: atMs,
        endedAtMs: atMs + 10,
        result
      })
    const isLost = random.chance(0.2)
    attempt(isLost ? { kind: 'unknown', reason: 'no answer' } : { kind: 'done', level, isReplay: false }, nowMs)
    if (kind === 'adjust' && random.chance(0.5)) attempt({ kind: 'done', level, isReplay: true }, nowMs + 20)
    const before = { ...level, available: available - delta, onHand: onHand - delta }
    const isFirst = onHand === delta
    const concurrent = random.chance(0.5) ? level : before
    if (!isFirst) reads.push({ sku, sentAtMs: nowMs - 5, endedAtMs: nowMs + 15, level: concurrent })
    reads.push({ sku, sentAtMs: nowMs + 40, endedAtMs: nowMs + 45, level })
  }
  const skus = Object.keys(history.initialStock)
  const slots = Array.from({ length: 15 }, () => random.integer(0, history.tables.outcomes.length))
  for (const [number, slot] of slots.toSorted((a, b) => a - b).entries()) {
    const sku = random.pick(skus)
    // A fraction, so that no decision is between the two changes.
    const sequence = slot * 2 + number / 100
    const delta = random.integer(1, 20)
    const { available, reserved, onHand } = levelAt(history, sku, sequence)
    change(sku, { available: available + delta, reserved, onHand: onHand + delta }, { kind: 'adjust', delta, sequence })
    change(sku, { available, reserved, onHand }, { kind: 'adjust', delta: -delta, sequence: sequence + 0.005 })
  }
  const level = (available: number) => ({ available, reserved: 0, onHand: available })
  reads.push({ sku: newSKU, sentAtMs: nowMs, endedAtMs: nowMs + 5 })
  const last = 10 * history.tables.outcomes.length
  change(newSKU, level(7), { kind: 'set', delta: 7, sequence: last })
  change(newSKU, level(5), { kind: 'count', delta: -2, sequence: last + 1 })
  const refused = { kind: 'adjust', delta: -9, key: 'change-refused' } as const
  changes.push({
    id: 'change-refused',
    sku: newSKU,
    change: refused,
    sentAtMs: nowMs,
    endedAtMs: nowMs,
    result: { kind: 'refused', code: 'STOCK_TOO_LOW' }
  })
  change(newSKU, level(8), { kind: 'adjust', delta: 3, sequence: last + 2 })

  const stockRows = [...history.tables.stock, { sku: newSKU, available: 8, reserved: 0 }]
  const held = sumBySKU(history.tables.reservationLines)
  const snapshot = {
    atMs: history.endedAtMs,
    rows: stockRows.map(row => ({ ...row, held: held.get(row.sku) ?? 0, moved: row.available + row.reserved }))
  }
  const stock: StockHistory = { changes, reads, snapshots: [snapshot] }
  const sorted = movements.toSorted((a, b) => a.sequence - b.sequence)
  const published = sorted.map((row, offset) => recordOf(row, offset, nowMs))
  return withReads({
    ...history,
    stock,
    records: [...history.records, ...published, ...published.slice(-1).map(record => ({ ...record, offset: 100_000 }))],
    tables: { ...history.tables, stock: stockRows, movements: sorted }
  })
}

type Moved = { readonly kind: 'set' | 'count' | 'adjust'; readonly delta: number; readonly sequence: number }

function movementOf(
  fields: Omit<MovementRow, 'movementID' | 'reason' | 'idempotencyKey'> & Partial<MovementRow>
): MovementRow {
  return { movementID: `${fields.sku} ${fields.sequence}`, reason: null, idempotencyKey: null, ...fields }
}

/** Returns the stock of a SKU after the decisions and releases with lower numbers. */
function levelAt({ initialStock, tables }: History, sku: string, sequence: number): StockLevel {
  const onHand = initialStock[sku] ?? 0
  const itemsOf = new Map(tables.outcomes.map(({ orderID, items }) => [orderID, items ?? []]))
  const before = [
    ...tables.outcomes.map(row => ({ ...row, sign: 1 })),
    ...tables.settlements.filter(({ kind }) => kind === 'released').map(row => ({ ...row, sign: -1 }))
  ].filter(row => row.sequence < sequence)
  let reserved = 0
  for (const { orderID, sign } of before) reserved += sign * (sumBySKU(itemsOf.get(orderID) ?? []).get(sku) ?? 0)
  return { available: onHand - reserved, reserved, onHand }
}

function recordOf(row: MovementRow, offset: number, timestampMs: number): RecordedRecord {
  const event = { ...row, by: 'operator', caller: null, movedAtMs: timestampMs }
  return {
    topic: topicNames.stockMovements,
    partition: 0,
    offset,
    timestampMs,
    key: row.sku,
    headers: { 'event-id': `StockMoved-${row.movementID}` },
    producerID: 5,
    producerEpoch: 0,
    transaction: 'none',
    valueDigest: JSON.stringify(row),
    event: event as never
  }
}

export function changingStock(history: History, change: (stock: StockHistory) => Partial<StockHistory>): History {
  const stock = history.stock as StockHistory
  return { ...history, stock: { ...stock, ...change(stock) } }
}

export function changingMovements(
  history: History,
  change: (movements: readonly MovementRow[]) => readonly MovementRow[]
): History {
  return { ...history, tables: { ...history.tables, movements: change(history.tables.movements ?? []) } }
}
