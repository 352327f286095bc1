import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { testHoldLimits } from './testing/hold-limits-contract.ts'
import { createInventoryDatabase, emptyInventory } from './testing/inventory-database.ts'
import { createPostgresTestStore } from './testing/test-store.ts'

const database = await createInventoryDatabase({ after })
const pool = database.open()

testHoldLimits('the store in Postgres', async (_t, nowMs, limits) => {
  await emptyInventory(pool)
  return createPostgresTestStore(pool, { nowMs, limits })
})

test('instances that decide orders of one caller concurrently do not exceed its limit', async () => {
  await emptyInventory(pool)
  const limits = { seconds: new Map(), quantity: new Map([['berlin', 10]]) }
  const stores = [1, 2, 3].map(() => createPostgresTestStore(database.open({ maxConnections: 2 }), { limits }))
  const skus = Array.from({ length: 30 }, (_, index) => `sku-${index}`)
  await stores[0]?.setAvailable(new Map(skus.map(sku => [sku, 100])))
  // Each batch has a different SKU, so that stock locks do not serialize the batches.
  const decided = await Promise.all(
    skus.map((sku, index) => {
      const order = { orderID: sku, userID: 'ann', caller: 'berlin', items: [{ sku, quantity: 1 }], holdSeconds: 60 }
      return stores[index % stores.length]?.decide({ orders: [order], changes: [] })
    })
  )
  const reserved = decided.flatMap(batch => batch?.orders ?? []).filter(({ outcome }) => outcome.kind === 'reserved')
  assert.equal(reserved.length, 10)
})
