import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { connectTopics, toRecord } from '@orderly/contracts'
import {
  createInMemoryRegistry,
  inventoryConfirmed,
  inventoryFailed,
  inventoryReleased,
  inventoryReserved
} from '@orderly/contracts/testing'
import { deadLetterTopic, type OutputRecord, type StageObserver } from '@orderly/kafka'
import { createInMemoryBroker, fetchedHeaders, type InMemoryBroker } from '@orderly/kafka/testing'
import { newTraceparent, parseTraceparent } from '@orderly/service-kit'
import type { Result } from '../domain/notification.ts'
import { type Accept, type AcceptedResult, resultStage } from './result-stage.ts'

const topics = await connectTopics(createInMemoryRegistry())
const logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

/** Runs the stage until it has committed `records` records. */
async function process(t: TestContext, broker: InMemoryBroker, records: number, accept: Accept): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  let left = records
  const observer: StageObserver = {
    committed: event => {
      left -= event.records
      if (left === 0) resolve()
    }
  }
  const isTransient = (error: unknown) => (error as { retryable?: unknown }).retryable === true
  const stage = broker.runStage(resultStage(topics, accept), { isTransient, logger, observer })
  t.after(() => stage.stop())
  await Promise.race([promise, stage.finished])
}

async function brokerWith(...records: readonly OutputRecord[]): Promise<InMemoryBroker> {
  const broker = createInMemoryBroker()
  await broker.producer().send(records)
  return broker
}

function collector() {
  const accepted: AcceptedResult[] = []
  const accept: Accept = async outcomes => void accepted.push(...outcomes)
  return { accepted, accept }
}

test('outcomes of all topics are accepted with the trace of their order', async t => {
  const traceparent = newTraceparent()
  const reserved = inventoryReserved()
  const failed = inventoryFailed()
  const broker = await brokerWith(
    toRecord(topics.inventoryReserved, reserved, traceparent),
    toRecord(topics.inventoryFailed, failed, traceparent)
  )
  const { accepted, accept } = collector()
  await process(t, broker, 2, accept)
  const traceID = parseTraceparent(traceparent)?.traceID
  assert.deepEqual(
    accepted.map(each => [
      each.notification.orderID,
      each.notification.kind,
      parseTraceparent(each.traceparent)?.traceID
    ]),
    [
      [reserved.orderID, 'order-reserved', traceID],
      [failed.orderID, 'order-failed', traceID]
    ]
  )
})

test('the notifications of one user are accepted in the order of the outcomes', async t => {
  const outcomes = Array.from({ length: 20 }, () => inventoryReserved({ userID: 'ada' }))
  const broker = await brokerWith(...outcomes.map(event => toRecord(topics.inventoryReserved, event, newTraceparent())))
  const { accepted, accept } = collector()
  await process(t, broker, outcomes.length, accept)
  assert.deepEqual(
    accepted.map(({ notification }) => notification.orderID),
    outcomes.map(({ orderID }) => orderID)
  )
})

test('events of one order that are read out of order are accepted in order, and do not wait for events outside the batch', async () => {
  const at = (topic: string, event: Result) => {
    return {
      ...{ topic, partition: 0, offset: 0n, topicID: undefined, timestampMs: 0 },
      ...{ key: event.userID, headers: fetchedHeaders({}) },
      event
    }
  }
  const [own, other] = [
    { orderID: '1', userID: 'ada', requestID: '' },
    { orderID: '2', userID: 'ada', requestID: '' }
  ]
  const records = [
    at('inventory.released', inventoryReleased(own)),
    at('inventory.released', inventoryReleased({ ...own, orderID: '0' })),
    at('inventory.confirmed', inventoryConfirmed(own)),
    at('inventory.reserved', inventoryReserved(own)),
    at('inventory.failed', inventoryFailed(other))
  ]
  const { accepted, accept } = collector()
  await resultStage(topics, accept).process(records, {
    signal: new AbortController().signal,
    positions: []
  })
  assert.deepEqual(
    accepted.map(({ notification }) => notification.id),
    ['InventoryReleased-0', 'InventoryReserved-1', 'InventoryConfirmed-1', 'InventoryReleased-1', 'InventoryFailed-2']
  )
})

test('while the delivery table is unavailable, outcomes are retried with the same ids', async t => {
  const broker = await brokerWith(toRecord(topics.inventoryReserved, inventoryReserved(), newTraceparent()))
  const ids: string[] = []
  await process(t, broker, 1, async outcomes => {
    ids.push(...outcomes.map(({ notification }) => notification.id))
    if (ids.length < 3) throw Object.assign(new Error('away'), { retryable: true })
  })
  assert.equal(ids.length, 3)
  assert.equal(new Set(ids).size, 1)
})

test('an outcome that cannot be stored or decoded becomes a dead letter with the reason, and the next one is accepted', async t => {
  const refused = inventoryReserved()
  const next = inventoryReserved()
  const broker = createInMemoryBroker({ partitions: 1 })
  await broker
    .producer()
    .send([
      toRecord(topics.inventoryReserved, refused, newTraceparent()),
      { ...toRecord(topics.inventoryReserved, inventoryReserved(), newTraceparent()), value: Buffer.from('no Avro') },
      toRecord(topics.inventoryReserved, next, newTraceparent())
    ])
  const { accepted, accept } = collector()
  await process(t, broker, 3, async (outcomes, positions) => {
    if (outcomes.some(({ notification }) => notification.orderID === refused.orderID)) throw new Error('no such text')
    await accept(outcomes, positions)
  })
  assert.deepEqual([...new Set(accepted.map(({ notification }) => notification.orderID))], [next.orderID])
  const deadLettered = broker.records(deadLetterTopic(topics.inventoryReserved.name))
  assert.deepEqual(deadLettered.map(({ headers }) => headers['dlq-code']).sort(), ['Error', 'WIRE_FORMAT_INVALID'])
})
