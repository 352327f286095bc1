import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { connectTopics, eventID, type OrderCreated, toRecord } from '@orderly/contracts'
import { createInMemoryRegistry, orderCreated } from '@orderly/contracts/testing'
import { deadLetterTopic, type OutputRecord, type Topic } from '@orderly/kafka'
import { createInMemoryBroker, type InMemoryBroker } from '@orderly/kafka/testing'
import { isTransientFailure } from '@orderly/postgres'
import { newTraceparent, parseTraceparent } from '@orderly/service-kit'
import type { StockStore } from '../store/stock-store.ts'
import { createMemoryStore } from '../store/testing/memory.ts'
import type { TestStore } from '../store/testing/test-store.ts'
import { orderStage } from './order-stage.ts'

const topics = await connectTopics(createInMemoryRegistry())
const logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

async function stocked(pieces: Record<string, number>): Promise<TestStore> {
  const store = createMemoryStore()
  await store.setAvailable(new Map(Object.entries(pieces)))
  return store
}

const recordOf = (order: OrderCreated, traceparent = newTraceparent(), caller?: string) =>
  toRecord(topics.ordersCreated, order, traceparent, { caller })

async function decode<Event>({ codec }: Topic<Event>, records: readonly { value: Buffer }[]): Promise<Event[]> {
  const values = records.map(({ value }) => value)
  await codec.prepare(values)
  return values.map(value => codec.decode(value))
}

/** Sends the records and runs the stage until it has committed all of them. */
async function process(
  t: TestContext,
  store: Pick<StockStore, 'decide'>,
  records: readonly OutputRecord[],
  broker: InMemoryBroker = createInMemoryBroker()
): Promise<InMemoryBroker> {
  await broker.producer().send(records)
  const { promise, resolve } = Promise.withResolvers<void>()
  let left = records.length
  const stage = broker.runStage(orderStage({ topics, store }), {
    isTransient: isTransientFailure,
    logger,
    observer: {
      committed: event => {
        left -= event.records
        if (left === 0) resolve()
      }
    }
  })
  t.after(() => stage.stop())
  await Promise.race([promise, stage.finished])
  await stage.stop()
  return broker
}

test('the outcome of an order with enough stock is reserved, has the key of its user, and continues the trace', async t => {
  const order = orderCreated({ items: [{ sku: 'mug', quantity: 2 }] })
  const traceparent = newTraceparent()
  const broker = await process(t, await stocked({ mug: 2 }), [recordOf(order, traceparent)])
  const [record, ...others] = broker.records('inventory.reserved')
  assert.ok(record)
  assert.equal(others.length, 0)
  assert.equal(record.key, order.userID)
  assert.equal(record.headers['event-id'], eventID('InventoryReserved', order.orderID))
  assert.equal(parseTraceparent(record.headers.traceparent)?.traceID, parseTraceparent(traceparent)?.traceID)
  assert.notEqual(record.headers.traceparent, traceparent)
  const [event] = await decode(topics.inventoryReserved, [record])
  assert.ok(event)
  const { decidedAtMs, sequence, ...rest } = event
  assert.deepEqual(rest, { orderID: order.orderID, userID: order.userID, items: order.items, holdUntilMs: null })
  assert.ok(decidedAtMs > 1_700_000_000_000 && sequence > 0)
  assert.equal(broker.records('inventory.failed').length, 0)
})

test('an order with too little stock fails and reports the shortage', async t => {
  const order = orderCreated({ items: [{ sku: 'mug', quantity: 3 }] })
  const broker = await process(t, await stocked({ mug: 2 }), [recordOf(order)])
  const [event] = await decode(topics.inventoryFailed, broker.records('inventory.failed'))
  assert.equal(event?.reason, 'OUT_OF_STOCK')
  assert.deepEqual(event.shortages, [{ sku: 'mug', requested: 3, available: 2, reason: 'OUT_OF_STOCK' }])
  assert.equal(broker.records('inventory.reserved').length, 0)
})

test('outcomes of one user keep the sequence of the orders', async t => {
  const orders = Array.from({ length: 50 }, (_, index) =>
    orderCreated({ userID: `user-${index % 3}`, items: [{ sku: 'mug', quantity: 1 }] })
  )
  const broker = await process(
    t,
    await stocked({ mug: 50 }),
    orders.map(order => recordOf(order))
  )
  const events = await decode(topics.inventoryReserved, broker.records('inventory.reserved'))
  for (const userID of ['user-0', 'user-1', 'user-2']) {
    assert.deepEqual(
      events.filter(event => event.userID === userID).map(({ orderID }) => orderID),
      orders.filter(order => order.userID === userID).map(({ orderID }) => orderID)
    )
  }
})

test('a record that is processed again gives the same bytes and changes no stock', async t => {
  const store = await stocked({ mug: 3 })
  const records = [2, 2].map(quantity => recordOf(orderCreated({ items: [{ sku: 'mug', quantity }] })))
  const broker = await process(t, store, records)
  const levels = await store.levels()
  await process(t, store, records, broker)
  assert.deepEqual(await store.levels(), levels)
  for (const topic of ['inventory.reserved', 'inventory.failed']) {
    const [first, second, ...others] = broker.records(topic)
    assert.deepEqual(first?.value, second?.value, topic)
    assert.equal(first?.headers['event-id'], second?.headers['event-id'])
    assert.equal(others.length, 0)
  }
})

test('an order that would create stock becomes a dead letter and does not reach the store', async t => {
  const store = await stocked({ mug: 5 })
  const wrong = orderCreated({ items: [{ sku: 'mug', quantity: -5 }] })
  const right = orderCreated({ items: [{ sku: 'mug', quantity: 1 }] })
  const broker = await process(t, store, [recordOf(wrong), recordOf(right)])
  const [deadLettered] = broker.records(deadLetterTopic('orders.created'))
  assert.equal(deadLettered?.headers['dlq-code'], 'ORDER_INVALID')
  assert.deepEqual(await store.levels(), [{ sku: 'mug', available: 4, reserved: 1 }])
  assert.equal(broker.records('inventory.reserved').length, 1)
})

test('an invalid order blocks the key of its caller, but not that of another caller with the same user id', async t => {
  const ordersOf = (caller: string, ...quantities: number[]) =>
    quantities.map(quantity => {
      const order = orderCreated({ userID: 'ada', items: [{ sku: 'mug', quantity }] })
      return recordOf(order, newTraceparent(), caller)
    })
  const records = [...ordersOf('berlin', -5, 1), ...ordersOf('paris', 1, 9)]
  const broker = await process(t, await stocked({ mug: 5 }), records)
  const ownersIn = (topic: string) => broker.records(topic).map(({ key, headers }) => [key, headers.caller])
  assert.deepEqual(ownersIn(deadLetterTopic('orders.created')), [
    ['berlin\u001fada', 'berlin'],
    ['berlin\u001fada', 'berlin']
  ])
  assert.deepEqual(ownersIn('inventory.reserved'), [['paris\u001fada', 'paris']])
  assert.deepEqual(ownersIn('inventory.failed'), [['paris\u001fada', 'paris']])
})

test('orders wait while the database is unavailable, and none becomes a dead letter', async t => {
  const store = await stocked({ mug: 5 })
  let failures = 2
  const flaky: Pick<StockStore, 'decide'> = {
    decide: async batch => {
      if (failures-- > 0) throw Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })
      return store.decide(batch)
    }
  }
  const broker = await process(t, flaky, [recordOf(orderCreated({ items: [{ sku: 'mug', quantity: 1 }] }))])
  assert.equal(broker.records('inventory.reserved').length, 1)
  assert.equal(broker.records(deadLetterTopic('orders.created')).length, 0)
})
