import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createApiKeyStore } from '@orderly/callers'
import { grantKey } from '@orderly/callers/testing'
import { orderChangeRequested, orderCreated } from '@orderly/contracts/testing'
import { deadLetterTopic } from '@orderly/kafka'
import { deleteRecords, readCommitted } from '@orderly/kafka/testing'
import { emptyInventory } from './store/testing/inventory-database.ts'
import { startPipeline } from './testing/pipeline.ts'
import { reconcile } from './testing/run-reconcile.ts'

const orderOf = (userID: string, sku: string, quantity: number) => orderCreated({ userID, items: [{ sku, quantity }] })

test('reconcile lists data missing from the topics, contradicting tables and API keys to check', async t => {
  const pipeline = await startPipeline(t)
  const { pool, connection, store, topics } = pipeline
  await store.setAvailable(new Map([['MUG', 50]]))
  // Simulates a movement that was lost before it was published.
  await store.setAvailable(new Map([['GHOST', 5]]))
  await pool.query("UPDATE inventory.stock_movements SET published = true WHERE sku = 'GHOST'")
  const instance = await pipeline.start(t, 'one')
  const [kept, lost, contradicted, ghost] = [
    orderOf('ann', 'MUG', 1),
    orderOf('bob', 'MUG', 2),
    orderOf('cay', 'MUG', 3),
    orderOf('dan', 'GHOST', 4)
  ] as const
  const poison = orderOf('mallory', 'MUG', -5)
  const behind = orderOf('mallory', 'MUG', 1)
  // The lost order is placed first, because records that precede its outcome are removed with it.
  await pipeline.place([lost])
  await pipeline.place([kept, contradicted, ghost])
  await pipeline.place([orderOf('eve', 'MUG', 1)], { caller: 'paris' })
  await pipeline.place([poison, behind])
  await readCommitted(connection, deadLetterTopic('orders.created'), records => records.length === 2)
  const decided = await pipeline.untilDecided([kept, lost, contradicted, ghost])
  await pipeline.ask([orderChangeRequested({ orderID: lost.orderID, userID: 'bob' })])
  await pipeline.settlements()
  assert.equal((await instance.stop()).code, 0)

  const place = decided.find(({ order }) => order === lost)?.outcomes[0]?.record
  assert.ok(place !== undefined)
  const removed = (await readCommitted(connection, 'inventory.reserved', records => records.length > 0)).filter(
    ({ partition, offset }) => partition === place.partition && offset <= place.offset
  )
  const { name } = topics.inventoryReserved
  await deleteRecords(connection, { topic: name, partition: place.partition }, BigInt(place.offset) + 1n)
  await emptyInventory(pool)
  await pool.query(
    `INSERT INTO inventory.outcomes (order_id, user_id, kind, reason, shortages, decided_at)
      VALUES ($1, 'cay', 'failed', 'OUT_OF_STOCK', '[]', '2020-01-01Z')`,
    [contradicted.orderID]
  )
  const keys = createApiKeyStore(pool)
  await grantKey(keys, { name: 'berlin', role: 'shop' })

  const { code, report } = await reconcile(pipeline, '--apply')
  assert.equal(code, 1)
  const lostOrders = (report.lost.outcomes?.first ?? []).map(item => (item as { orderID: string }).orderID)
  assert.ok(lostOrders.includes(lost.orderID))
  const explained = Object.entries({ kept, contradicted, ghost, poison, behind })
  const wronglyLost = explained.filter(([, { orderID }]) => lostOrders.includes(orderID)).map(([name]) => name)
  assert.deepEqual(wronglyLost, [])
  assert.ok((report.lost.outcomes?.count ?? 0) <= removed.length)
  assert.deepEqual(report.lost.settlements?.first, [lost.orderID])
  assert.deepEqual(report.contradictions.outcomes?.first, [contradicted.orderID])
  assert.deepEqual(
    report.lost.movements?.first.map(item => (item as { sku: string }).sku),
    ['GHOST']
  )
  assert.deepEqual(
    report.keys.changed.map(({ name, what }) => [name, what]),
    [['berlin', 'created']]
  )
  assert.deepEqual(report.keys.callersWithoutKey, ['paris'])
  assert.deepEqual(await store.levels(['GHOST']), [{ sku: 'GHOST', available: 0, reserved: 4 }])

  const again = await reconcile(pipeline, '--apply')
  assert.deepEqual(new Set(Object.values(again.report.added)), new Set([0]))
  assert.deepEqual([again.report.stock.count, again.report.lost.movements?.count], [0, 0])
})
