import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { createInventoryDatabase, emptyInventory } from './testing/inventory-database.ts'
import { testSettlements } from './testing/settlement-contract.ts'
import { decideOrders, testStockStore } from './testing/stock-store-contract.ts'
import { createPostgresTestStore } from './testing/test-store.ts'

const database = await createInventoryDatabase({ after })
const pool = database.open()

for (const testStore of [testStockStore, testSettlements]) {
  testStore(
    'the store in Postgres',
    async (_t, nowMs) => {
      await emptyInventory(pool)
      return createPostgresTestStore(pool, { nowMs })
    },
    { runs: 40 }
  )
}

test('statements that were prepared on empty tables use indexes after the tables have grown', async () => {
  await emptyInventory(pool)
  const single = database.open({ maxConnections: 1 })
  const store = createPostgresTestStore(single)
  await store.setAvailable(new Map([['mug', 100]]))
  for (let index = 0; index < 20; index++) {
    await decideOrders(store, [{ orderID: `order-${index}`, userID: 'ann', items: [{ sku: 'mug', quantity: 1 }] }])
  }
  const request = { requestID: 'request-1', requestedAtMs: 1, position: { partition: 0, offset: 1 } }
  const change = { orderID: 'order-1', userID: 'ann', ...request }
  await store.decide({ orders: [], changes: [{ ...change, change: 'cancel' }] })
  await store.takeDueHolds(1, { limit: 1, againAfterMs: 1 })
  for (const statement of [
    "\"lock-stock-and-held\" ('{a}', '{b}')",
    '"find-settlements" (\'{a}\')',
    '"delete-holds" (\'{a}\')',
    '"delete-reservation-lines" (\'{a}\')',
    '"take-due-holds" (now(), 1, now())',
    '"find-outcomes" (\'{a}\')',
    '"lock-stock" (\'{a}\')',
    "\"move-stock\" ('{a}', '{1}')"
  ]) {
    const { rows } = await single.query(`EXPLAIN EXECUTE ${statement}`)
    const plan = rows.map(row => row['QUERY PLAN']).join('\n')
    assert.match(plan, /Index Scan/)
    assert.doesNotMatch(plan, /Seq Scan/)
  }
})
