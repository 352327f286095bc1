import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connectTopics, toRecord } from '@orderly/contracts'
import { createInMemoryRegistry, orderChangeRequested, orderCreated } from '@orderly/contracts/testing'
import { deadLetterTopic } from '@orderly/kafka'
import { createInMemoryBroker } from '@orderly/kafka/testing'
import { isTransientFailure } from '@orderly/postgres'
import { newTraceparent } from '@orderly/service-kit'
import { createMemoryStore } from '../store/testing/memory.ts'
import { expireHolds } from './expire-holds.ts'
import { orderStage } from './order-stage.ts'

const topics = await connectTopics(createInMemoryRegistry())
const logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
const hourMs = 3_600_000

test('an unconfirmed hold is released by an expiry record, a confirmed one stays, and an unknown change becomes a dead letter', async t => {
  const store = createMemoryStore()
  await store.setAvailable(new Map([['mug', 3]]))
  const clock = { nowMs: Date.now() }
  const broker = createInMemoryBroker()
  const tick = expireHolds({ store, ...topics, everyMs: 2, nowMs: () => clock.nowMs })
  const stage = broker.runStage(orderStage({ topics, store, tick }), { isTransient: isTransientFailure, logger })
  t.after(() => stage.stop())
  const until = async (topic: string) => {
    while (broker.records(topic).length === 0) await new Promise(resolve => setTimeout(resolve, 1))
    return broker.records(topic)
  }
  const items = [{ sku: 'mug', quantity: 1 }]
  const [forgotten, kept] = ['ann', 'bob'].map(userID => orderCreated({ userID, items, holdSeconds: 900 }))
  assert.ok(forgotten && kept)
  const send = (...records: Parameters<ReturnType<typeof broker.producer>['send']>[0]) =>
    broker.producer().send(records)
  await send(
    ...[forgotten, kept].map(order => toRecord(topics.ordersCreated, order, newTraceparent(), { caller: 'berlin' }))
  )
  await until('inventory.reserved')
  assert.equal(broker.records('orders.changes').length, 0)

  const { orderID, userID } = kept
  const changes = [
    orderChangeRequested({ orderID, userID, change: 'confirm' }),
    orderChangeRequested({ userID: 'eve', change: 'refund' })
  ]
  await send(...changes.map(change => toRecord(topics.ordersChanges, change, newTraceparent())))
  assert.equal((await until('inventory.confirmed'))[0]?.key, 'berlin\u001fbob')
  assert.equal((await until(deadLetterTopic('orders.changes')))[0]?.headers['dlq-code'], 'CHANGE_INVALID')

  clock.nowMs += hourMs
  const [released, ...others] = await until('inventory.released')
  assert.deepEqual([released?.key, released?.headers.caller, others.length], ['berlin\u001fann', 'berlin', 0])
  const [expiry] = broker.records('orders.changes').filter(({ headers }) => headers['event-id']?.includes('-expire-'))
  assert.deepEqual([expiry?.key, expiry?.headers.caller], ['berlin\u001fann', 'berlin'])
  assert.ok(expiry?.headers['event-id']?.startsWith(`OrderChangeRequested-${forgotten.orderID}-expire-`))
  const requestID = expiry?.headers['event-id']?.split('-expire-')[1]
  assert.equal(released?.headers['event-id'], `InventoryReleased-${forgotten.orderID}-${requestID}`)
  assert.deepEqual(await store.levels(), [{ sku: 'mug', available: 2, reserved: 1 }])
})
