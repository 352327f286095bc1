import assert from 'node:assert/strict'
import { after, type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { StockMoved } from '@orderly/contracts'
import { readCommitted } from '@orderly/kafka/testing'
import { recordLog, silentLogger } from '@orderly/service-kit/testing'
import { Registry } from 'prom-client'
import { createMovementQueue } from '../store/movement-queue.ts'
import { createPostgresStockAdmin } from '../store/postgres-stock-admin.ts'
import { createInventoryDatabase, emptyInventory } from '../store/testing/inventory-database.ts'
import { createPostgresTestStore } from '../store/testing/test-store.ts'
import { startPipeline } from '../testing/pipeline.ts'
import { type PublishingOptions, publishingAtOnce, publishMovements } from './publish-movements.ts'

const database = await createInventoryDatabase({ after })
const pool = database.open({ maxConnections: 8 })
const queue = createMovementQueue(pool)
const stockAdmin = createPostgresStockAdmin(pool)
const by = { by: 'ada' }
const setOf = (sku: string, available: number) => stockAdmin.set(new Map([[sku, { available }]]), by)

async function untilPublished(): Promise<void> {
  while ((await queue.count()) > 0) await delay(5)
}

function start(t: TestContext, options: Partial<PublishingOptions> & Pick<PublishingOptions, 'publish'>) {
  const publishing = publishMovements({
    queue,
    metrics: new Registry(),
    logger: silentLogger(),
    pollMs: 20,
    ...options
  })
  t.after(() => publishing.stop())
  return publishing
}

test('movements of every kind are published in order, with the ids of their rows', async t => {
  await emptyInventory(pool)
  await createPostgresTestStore(pool).addMissing(new Map([['mug', 3]]))
  await setOf('mug', 5)
  await stockAdmin.set(new Map([['mug', { onHand: 7 }]]), { ...by, reason: 'counted' })
  await stockAdmin.adjust({ sku: 'mug', delta: -1, key: { caller: 'ops', key: 'k' } }, by)
  const published: StockMoved[] = []
  start(t, { publish: async movements => void published.push(...movements) })
  await untilPublished()
  assert.deepEqual(
    published.map(({ kind, delta, available, reason, caller, idempotencyKey }) => ({
      ...{ kind, delta, available, reason, caller, idempotencyKey }
    })),
    [
      { kind: 'seed', delta: 3, available: 3, reason: null, caller: null, idempotencyKey: null },
      { kind: 'set', delta: 2, available: 5, reason: null, caller: null, idempotencyKey: null },
      { kind: 'count', delta: 2, available: 7, reason: 'counted', caller: null, idempotencyKey: null },
      { kind: 'adjust', delta: -1, available: 6, reason: null, caller: 'ops', idempotencyKey: 'k' }
    ]
  )
  const { rows } = await pool.query('SELECT movement_id FROM inventory.stock_movements ORDER BY sequence')
  assert.deepEqual(
    published.map(({ movementID }) => movementID),
    rows.map(({ movement_id }) => movement_id)
  )
})

test('movements that a publisher did not mark as published are published again with the same ids', async t => {
  await emptyInventory(pool)
  await setOf('mug', 5)
  const attempts: string[] = []
  const { logger, lines } = recordLog()
  start(t, {
    logger,
    publish: async movements => {
      attempts.push(...movements.map(({ movementID }) => movementID))
      if (attempts.length === 1) throw new Error('died after Kafka had the movement')
    }
  })
  await untilPublished()
  assert.equal(attempts.length, 2)
  assert.equal(new Set(attempts).size, 1)
  assert.ok(lines.some(({ event }) => event === 'movement_publishing_failed'))
})

test('concurrent publishers publish each movement once and keep the order of each SKU', async t => {
  await emptyInventory(pool)
  const published: StockMoved[] = []
  const publish = async (movements: readonly StockMoved[]) => {
    await delay(1)
    published.push(...movements)
  }
  for (let index = 0; index < 3; index++) start(t, { publish, pollMs: 1 })
  const changes = Array.from({ length: 120 }, (_, index) => setOf(`sku-${index % 3}`, index))
  await Promise.all(changes)
  await untilPublished()
  assert.equal(published.length, 120)
  for (const [, movements] of Map.groupBy(published, ({ sku }) => sku)) {
    const sequences = movements.map(({ sequence }) => sequence)
    assert.deepEqual(
      sequences,
      sequences.toSorted((a, b) => a - b)
    )
  }
})

test('a stock change wakes the publisher before its next poll', async t => {
  await emptyInventory(pool)
  const { promise, resolve } = Promise.withResolvers<void>()
  const publishing = start(t, { publish: async () => resolve(), pollMs: 3_600_000 })
  await publishingAtOnce(stockAdmin, publishing).set(new Map([['mug', { available: 1 }]]), by)
  await promise
})

test('on real Kafka, a movement is one record with its SKU as key, and movements made while the broker is down are published later', async t => {
  const pipeline = await startPipeline(t)
  const instance = await pipeline.start(t, 'one')
  const put = (sku: string, onHand: number) =>
    fetch(`${instance.url}/stock/${sku}`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ onHand })
    })
  assert.equal((await put('MUG', 5)).status, 200)
  const topic = pipeline.topics.stockMovements
  const isMug = ({ key }: { key: string | null }) => key === 'MUG'
  const [first] = (await readCommitted(pipeline.connection, topic.name, records => records.some(isMug))).filter(isMug)
  await topic.codec.prepare([first?.value as Buffer])
  const movement = topic.codec.decode(first?.value as Buffer)
  assert.deepEqual([movement.sku, movement.kind, movement.delta], ['MUG', 'count', 5])
  assert.equal(first?.headers['event-id'], `StockMoved-${movement.movementID}`)

  await pipeline.broker.stop()
  assert.equal((await put('TEA', 3)).status, 200)
  await pipeline.broker.start()
  const isTea = ({ key }: { key: string | null }) => key === 'TEA'
  const records = await readCommitted(pipeline.connection, topic.name, seen => seen.some(isTea))
  assert.equal(new Set(records.filter(isTea).map(({ headers }) => headers['event-id'])).size, 1)
})
