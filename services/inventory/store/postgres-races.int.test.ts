import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { inTransaction, isTransientPostgresError, retryTransient } from '@orderly/postgres'
import type { Pool } from 'pg'
import type { DecidedOrder } from '../domain/decide-batch.ts'
import type { OrderToDecide } from '../domain/order.ts'
import { checkBooks, createInventoryDatabase } from './testing/inventory-database.ts'
import { decideOrders } from './testing/stock-store-contract.ts'
import { createPostgresTestStore } from './testing/test-store.ts'

/**
 * Tests of concurrent instances that decide the same orders, as a partition owner and zombies do.
 */

const skus = ['mug', 'tea', 'spoon', 'never-stocked']
const putIn = new Map([
  ['mug', 150],
  ['tea', 40],
  ['spoon', 900]
])

/** Creates orders: half of the lines have the same SKU, and half of the orders have two lines. */
function makeOrders(count: number): OrderToDecide[] {
  return Array.from({ length: count }, (_, index) => {
    const sku = index % 2 === 0 ? 'mug' : (skus[index % skus.length] as string)
    const items = [{ sku, quantity: 1 + (index % 3) }]
    if (index % 4 < 2) items.push({ sku: skus[(index + 1) % skus.length] as string, quantity: 1 })
    return { orderID: `order-${index}`, userID: `user-${index % 7}`, items }
  })
}

function batchesOf(orders: readonly OrderToDecide[], size: number, start: number): OrderToDecide[][] {
  const shifted = [...orders.slice(start), ...orders.slice(0, start)]
  return Array.from({ length: Math.ceil(orders.length / size) }, (_, index) =>
    shifted.slice(index * size, (index + 1) * size)
  )
}

/** Asserts that all instances got the same outcome for every order. */
function checkAgreement(results: readonly DecidedOrder[], orderCount: number): void {
  const outcomes = new Map<string, DecidedOrder['outcome']>()
  let firsts = 0
  for (const { outcome, isReplay } of results) {
    const known = outcomes.get(outcome.event.orderID)
    if (known) assert.deepEqual(outcome, known)
    outcomes.set(outcome.event.orderID, outcome)
    if (!isReplay) firsts++
  }
  assert.equal(outcomes.size, orderCount)
  assert.ok(firsts <= orderCount, 'an order was decided twice')
}

/** Resolves once a connection of the instance waits for a lock of another transaction. */
async function untilWaiting(pool: Pool, applicationName: string): Promise<void> {
  const waiting = `SELECT count(*) AS count FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = $1 AND wait_event_type = 'Lock'`
  while ((await pool.query(waiting, [applicationName])).rows[0].count === 0);
}

async function setUp(t: TestContext) {
  const database = await createInventoryDatabase(t)
  const observer = database.open({ applicationName: 'observer' })
  await createPostgresTestStore(observer).setAvailable(putIn)
  return { ...database, observer }
}

test('instances that decide the same orders concurrently, in different batches, agree on every outcome', async t => {
  const { open, observer } = await setUp(t)
  const orders = makeOrders(600)
  const instances = [
    { size: 50, start: 0 },
    { size: 37, start: 0 },
    { size: 50, start: 300 },
    { size: 600, start: 120 }
  ]
  const results = await Promise.all(
    instances.map(async ({ size, start }) => {
      const store = createPostgresTestStore(open())
      const results: DecidedOrder[] = []
      for (const batch of batchesOf(orders, size, start)) results.push(...(await decideOrders(store, batch)))
      return results
    })
  )
  checkAgreement(results.flat(), orders.length)
  await checkBooks(observer, putIn, orders)
})

test('an order that two instances insert concurrently has the outcome of the first commit', async t => {
  const { open, observer } = await setUp(t)
  const order = { orderID: 'contested', userID: 'ann', items: [{ sku: 'never-stocked', quantity: 1 }] }
  const beside = { orderID: 'beside', userID: 'ann', items: [{ sku: 'mug', quantity: 1 }] }
  const store = createPostgresTestStore(open({ applicationName: 'second' }))
  const shortages = [{ sku: 'never-stocked', requested: 1, available: 0, reason: 'UNKNOWN_SKU' }]

  const deciding = await inTransaction(open(), async first => {
    await first.query(
      `INSERT INTO inventory.outcomes (order_id, user_id, kind, reason, shortages, decided_at)
        VALUES ('contested', 'ann', 'failed', 'UNKNOWN_SKU', $1, to_timestamp(7))`,
      [JSON.stringify(shortages)]
    )
    const deciding = decideOrders(store, [beside, order])
    await untilWaiting(observer, 'second')
    return { deciding }
  })

  const [besideDecided, decided] = await deciding.deciding
  const decision = { reason: 'UNKNOWN_SKU', shortages, decidedAtMs: 7000, sequence: decided?.outcome.event.sequence }
  const event = { orderID: 'contested', userID: 'ann', ...decision }
  assert.deepEqual(decided, { outcome: { kind: 'failed', event }, isReplay: true })
  assert.equal(besideDecided?.isReplay, false)
  await checkBooks(observer, putIn, [beside, order])
})

test('a batch that waited for the locks of another batch sees the orders that the other one decided', async t => {
  const { open, observer } = await setUp(t)
  const orders = makeOrders(20)
  const instances = ['first', 'second'].map(applicationName => createPostgresTestStore(open({ applicationName })))

  const deciding = await inTransaction(open(), async client => {
    await client.query('SELECT FROM inventory.stock FOR UPDATE')
    const deciding = instances.map(store => decideOrders(store, orders))
    await Promise.all(['first', 'second'].map(name => untilWaiting(observer, name)))
    return { deciding }
  })

  const results = await Promise.all(deciding.deciding)
  checkAgreement(results.flat(), orders.length)
  assert.deepEqual(results.map(([first]) => first?.isReplay).sort(), [false, true])
  await checkBooks(observer, putIn, orders)
})

test('an instance that freezes with locked stock blocks others for a bounded time and then writes nothing', async t => {
  const { open, observer } = await setUp(t)
  const frozen = open({ idleInTransactionTimeoutMs: 200 })
  const orders = makeOrders(20)
  const waking = inTransaction(frozen, async client => {
    await client.query('SELECT FROM inventory.stock FOR UPDATE')
    await decideOrders(createPostgresTestStore(open()), orders)
    await client.query("UPDATE inventory.stock SET available = 0, reserved = 0 WHERE sku = 'mug'")
  })
  await assert.rejects(waking, isTransientPostgresError)
  await checkBooks(observer, putIn, orders)
})

test('cut connections lose no order and cause no second decision', async t => {
  const { open, observer } = await setUp(t)
  const orders = makeOrders(600)
  let isDone = false
  let cuts = 0

  async function cutConnections(): Promise<void> {
    while (!isDone && cuts < 100) {
      const { rowCount } = await observer.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'instance' AND state <> 'idle'`)
      cuts += rowCount ?? 0
    }
  }

  async function decideAll(start: number): Promise<DecidedOrder[]> {
    const store = createPostgresTestStore(open({ applicationName: 'instance' }))
    const results: DecidedOrder[] = []
    for (const batch of batchesOf(orders, 20, start)) {
      const attempt = () => decideOrders(store, batch)
      results.push(...(await retryTransient(attempt, { attempts: 1000, firstDelayMs: 1, maxDelayMs: 20 })))
    }
    return results
  }

  const cutting = cutConnections()
  const results = await Promise.all([decideAll(0), decideAll(0), decideAll(300)])
  isDone = true
  await cutting
  t.diagnostic(`${cuts} connections cut`)
  assert.ok(cuts > 0)
  checkAgreement(results.flat(), orders.length)
  await checkBooks(observer, putIn, orders)
})
