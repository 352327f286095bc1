import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { topicNames } from '@orderly/contracts'
import { readCommitted } from '@orderly/kafka/testing'
import { createMissingTopics, waitUntil } from '@orderly/launcher'
import { integrationEnvironment, startBroker, startPostgresPair, startService } from '@orderly/launcher/testing'
import { post } from './testing/order-pipeline.ts'

const sku = 'MUG-WHITE'
const pieces = 1_000_000

/**
 * Starts the order and inventory services on a primary with a synchronous standby. The services use
 * an address that can be moved to the standby.
 */
async function setUp(t: TestContext) {
  const { registryURL } = integrationEnvironment()
  const [broker, postgres, directory] = await Promise.all([
    startBroker(t),
    startPostgresPair(t),
    mkdtemp(join(tmpdir(), 'failover-'))
  ])
  t.after(() => rm(directory, { recursive: true }))
  const connection = { brokers: broker.brokers, clientID: 'failover-test' }
  await createMissingTopics(connection, { partitions: 4, replicationFactor: 1 })
  const stockFile = join(directory, 'stock.csv')
  await writeFile(stockFile, `sku,available\n${sku},${pieces}\n`)
  const common = { KAFKA_BROKERS: broker.brokers.join(','), SCHEMA_REGISTRY_URL: registryURL, INSTANCE_ID: 'one' }
  const [order, inventory] = await Promise.all([
    startService(t, 'order', { ...common, DATABASE_URL: postgres.urlOf('orderly_order') }),
    startService(t, 'inventory', {
      ...{ ...common, DATABASE_URL: postgres.urlOf('orderly_inventory'), SEED_STOCK_FILE: stockFile }
    })
  ])
  return { postgres, connection, order, inventory }
}

/**
 * Places orders with keys from several callers, and repeats each request until it is accepted or the
 * test ends.
 */
function placeOrders(t: TestContext, url: string) {
  const accepted = new Map<string, number>()
  const stopping = new AbortController()
  let hasEnded = false
  t.after(() => {
    hasEnded = true
  })
  const callers = Array.from({ length: 4 }, async () => {
    while (!stopping.signal.aborted && !hasEnded) {
      const order = { userID: `user-${randomUUID()}`, items: [{ sku, quantity: 1 }], total: 1 }
      const headers = { 'idempotency-key': randomUUID() }
      while (!hasEnded) {
        const answer = await post(url, order, headers).catch(() => undefined)
        if (answer?.status === 202) {
          accepted.set(answer.body.orderID, performance.now())
          break
        }
      }
    }
  })
  return {
    accepted,
    stop() {
      stopping.abort()
      return Promise.all(callers)
    }
  }
}

test('a failover of Postgres to its synchronous standby neither loses nor duplicates orders', {
  timeout: 900_000
}, async t => {
  const { postgres, connection, order, inventory } = await setUp(t)
  const load = placeOrders(t, order.url)
  const decided = async (server: 'primary' | 'standby') => {
    const [row] = await postgres.ask(server, 'SELECT count(*)::integer AS count FROM inventory.outcomes')
    return row?.count as number
  }
  const until = (isSo: () => Promise<boolean>, what: string) => waitUntil(isSo, { what, deadlineMs: 180_000 })
  await until(async () => (await decided('primary')) >= 200, '200 outcomes')

  await postgres.killPrimary()
  const killedAt = performance.now()
  // The address moves before the standby accepts writes, so new sessions are refused until then.
  postgres.repoint()
  const isRefused = async () => (await inventory.logs()).some(line => JSON.stringify(line).includes('is a standby'))
  await until(isRefused, 'a session that is refused')
  const [before, acceptedBefore] = [await decided('standby'), load.accepted.size]
  await postgres.promote()
  const promotedAt = performance.now()
  await until(async () => (await decided('standby')) > before, 'an outcome after the failover')
  const decidedAt = performance.now()
  await until(async () => load.accepted.size > acceptedBefore, 'an order with a key after the failover')
  const seconds = (from: number, to = performance.now()) => ((to - from) / 1_000).toFixed(1)
  t.diagnostic(
    `the first outcome: ${seconds(promotedAt, decidedAt)} s after the promotion, ${seconds(killedAt, decidedAt)} s after the kill`
  )
  t.diagnostic(`the first order with a key: ${seconds(promotedAt)} s after the promotion`)
  const isReady = async () => (await fetch(`${inventory.url}/health/ready`)).ok
  await until(isReady, 'readiness of the inventory')
  t.diagnostic(`ready again: ${seconds(promotedAt)} s after the promotion`)
  await until(async () => (await decided('standby')) >= before + 200, '200 more outcomes')
  await load.stop()

  const { accepted } = load
  await until(async () => (await decided('standby')) >= accepted.size, 'an outcome of every order')
  const idOf = (type: string) => (record: { headers: Readonly<Record<string, string | undefined>> }) =>
    (record.headers['event-id'] ?? '').slice(`${type}-`.length)
  const isAll = (records: readonly unknown[]) => records.length >= accepted.size
  const orders = (await readCommitted(connection, topicNames.ordersCreated, isAll)).map(idOf('OrderCreated'))
  const outcomes = (await readCommitted(connection, topicNames.inventoryReserved, isAll)).map(idOf('InventoryReserved'))
  assert.equal(new Set(orders).size, orders.length, 'an order is in its topic twice')
  assert.equal(new Set(outcomes).size, outcomes.length, 'an order has two outcomes')
  assert.deepEqual(new Set(orders), new Set(accepted.keys()), 'the topic contains exactly the accepted orders')
  assert.deepEqual(new Set(outcomes), new Set(orders), 'each order has an outcome')
  const rows = await postgres.ask('standby', "SELECT order_id FROM inventory.outcomes WHERE kind = 'reserved'")
  assert.deepEqual(new Set(rows.map(row => row.order_id)), new Set(orders))
  const [stock] = await postgres.ask('standby', `SELECT available, reserved FROM inventory.stock WHERE sku = '${sku}'`)
  assert.deepEqual([Number(stock?.available), Number(stock?.reserved)], [pieces - orders.length, orders.length])
  const failures = (await inventory.logs()).filter(({ level }) => level === 'error' || level === 'fatal')
  assert.deepEqual(failures, [])
})
