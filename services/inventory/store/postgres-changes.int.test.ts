import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import type { ChangeKind, ChangeToDecide } from '../domain/change.ts'
import type { DecidedChange } from '../domain/decide-change.ts'
import { checkBooks, createInventoryDatabase, emptyInventory } from './testing/inventory-database.ts'
import { createPostgresTestStore } from './testing/test-store.ts'

/** Tests of concurrent instances that decide the same orders and changes. */

const database = await createInventoryDatabase({ after })
const pool = database.open({ maxConnections: 2 })
const putIn = new Map([
  ['mug', 60],
  ['tea', 200]
])
const orders = Array.from({ length: 120 }, (_, index) => ({
  orderID: `order-${index}`,
  userID: `user-${index % 5}`,
  items: [
    { sku: 'tea', quantity: 1 },
    { sku: 'mug', quantity: 1 + (index % 2) }
  ].slice(index % 3 === 0 ? 0 : 1),
  holdSeconds: index % 4 === 0 ? 1 : null
}))

function changesOf(kinds: readonly ChangeKind[]): ChangeToDecide[] {
  return orders.flatMap(({ orderID, userID }, index) =>
    kinds.map((change, second) => {
      const position = { partition: 0, offset: index * kinds.length + second }
      const requestID = `${change}-${orderID}`
      return { orderID, userID, change, requestedAtMs: Date.now() + 60_000, requestID, position }
    })
  )
}

async function inBatches(changes: readonly ChangeToDecide[], size: number): Promise<DecidedChange[]> {
  const store = createPostgresTestStore(database.open({ maxConnections: 1 }))
  const decided: DecidedChange[] = []
  for (let start = 0; start < changes.length; start += size) {
    const { changes: own } = await store.decide({ orders: [], changes: changes.slice(start, start + size) })
    decided.push(...own)
  }
  return decided
}

test('an order and its cancel that instances decide concurrently end either cancelled or reserved and released', async () => {
  await emptyInventory(pool)
  const store = createPostgresTestStore(pool)
  await store.setAvailable(putIn)
  const changes = changesOf(['cancel'])
  const ordering = async (size: number) => {
    const instance = createPostgresTestStore(database.open({ maxConnections: 1 }))
    for (let start = 0; start < orders.length; start += size)
      await instance.decide({ orders: orders.slice(start, start + size), changes: [] })
  }
  await Promise.all([ordering(7), ordering(11), inBatches(changes, 9), inBatches(changes, 13)])
  for (const { sku, available, reserved } of await store.levels())
    assert.deepEqual([available, reserved], [putIn.get(sku), 0])
  const { rows } = await pool.query(`SELECT count(*) FILTER (WHERE reason = 'CANCELLED') AS early,
    count(*) FILTER (WHERE kind = 'reserved') AS reserved, count(*) AS all FROM inventory.outcomes`)
  assert.equal(rows[0].all, orders.length)
  await checkBooks(pool, putIn, orders)
})

test('a confirmation and an expiry that instances decide concurrently have one result for all of them', async () => {
  await emptyInventory(pool)
  const store = createPostgresTestStore(pool)
  await store.setAvailable(putIn)
  await store.decide({ orders, changes: [] })
  const [confirmFirst, expireFirst] = [changesOf(['confirm', 'expire']), changesOf(['expire', 'confirm'])]
  // The instances use two different sequences, which one log never has, so only the store can
  // prevent conflicts.
  const results = await Promise.all([
    inBatches(confirmFirst, 10),
    inBatches(confirmFirst, 17),
    inBatches(expireFirst, 10),
    inBatches(expireFirst, 17)
  ])
  const expected = new Map<string, string>()
  for (const { settlement } of results.flat()) {
    if (settlement === undefined) continue
    const { orderID } = settlement.event
    assert.equal(expected.get(orderID) ?? settlement.kind, settlement.kind, orderID)
    expected.set(orderID, settlement.kind)
  }
  const { rows } = await pool.query('SELECT order_id, kind FROM inventory.settlements')
  assert.deepEqual(new Map(rows.map(row => [row.order_id, row.kind])), expected)
  assert.equal((await pool.query('SELECT FROM inventory.holds')).rowCount, 0)
  await checkBooks(pool, putIn, orders)
})
