import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { connectTopics, eventID, type OrderRate, toRecord } from '@orderly/contracts'
import { createInMemoryRegistry, orderCreated } from '@orderly/contracts/testing'
import { deadLetterTopic } from '@orderly/kafka'
import { createInMemoryBroker } from '@orderly/kafka/testing'
import { isTransientFailure } from '@orderly/postgres'
import { newTraceparent, parseTraceparent } from '@orderly/service-kit'
import { windowMs, windowStartOf } from '../domain/window.ts'
import type { RateStore } from '../store/rate-store.ts'
import { createMemoryStore } from '../store/testing/memory.ts'
import { rateStage } from './rate-stage.ts'

const topics = await connectTopics(createInMemoryRegistry())
const logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
const policy = { graceMs: windowMs, clockSkewMs: 0, retentionMs: 1_000 * windowMs }
const longAgoMs = windowStartOf(Date.now()) - 30 * windowMs

function setUp(t: TestContext, store: RateStore = createMemoryStore(policy)) {
  const broker = createInMemoryBroker()
  const stage = broker.runStage(
    rateStage({
      ...topics,
      store,
      publishEveryMs: 5
    }),
    { isTransient: isTransientFailure, logger }
  )
  t.after(() => stage.stop())
  /** Places orders that were created and written at these times. */
  const place = (...createdAtMs: number[]) =>
    broker.producer().send(
      createdAtMs.map(createdAtMs => ({
        ...toRecord(topics.ordersCreated, orderCreated({ createdAtMs }), newTraceparent()),
        timestampMs: createdAtMs
      }))
    )
  const rates = async () => {
    const records = broker.records(topics.orderRate.name)
    await topics.orderRate.codec.prepare(records.map(({ value }) => value))
    return records.map(record => ({ record, rate: topics.orderRate.codec.decode(record.value) }))
  }
  const until = async (isEnough: (rates: readonly OrderRate[]) => boolean) => {
    for (;;) {
      const read = await rates()
      if (isEnough(read.map(({ rate }) => rate))) return read
      await new Promise(resolve => setTimeout(resolve, 2))
    }
  }
  return { broker, place, until }
}

test('the rate of a minute is published with the minute as key and an event id per revision', async t => {
  const { place, until } = setUp(t)
  const nowMs = Date.now()
  const windowStartMs = windowStartOf(nowMs)
  await place(...Array.from({ length: 30 }, () => nowMs))
  const [{ record, rate } = assert.fail()] = await until(rates => rates.length > 0)
  assert.deepEqual(rate, {
    windowStartMs,
    windowEndMs: windowStartMs + windowMs,
    orders: 30,
    perSecond: 0.5,
    perMinute: 30,
    late: 0,
    revision: rate.revision,
    isFinal: false
  })
  const minute = `${new Date(windowStartMs).toISOString().slice(0, 16)}Z`
  assert.equal(record.key, minute)
  assert.equal(record.headers['event-id'], eventID('OrderRate', `${minute}-${rate.revision}`))
  assert.ok(parseTraceparent(record.headers.traceparent))
})

test('a minute becomes final without further orders, and a late order changes only its late count', async t => {
  const { broker, place, until } = setUp(t)
  await place(longAgoMs, longAgoMs + 1, longAgoMs + windowMs)
  const finals = await until(rates => rates.filter(({ isFinal }) => isFinal).length === 2)
  const first = finals.find(({ rate }) => rate.isFinal && rate.windowStartMs === longAgoMs)
  assert.equal(first?.rate.orders, 2)
  const late = toRecord(topics.ordersCreated, orderCreated({ createdAtMs: longAgoMs }), newTraceparent())
  await broker.producer().send([late])
  const all = await until(rates => rates.some(({ late }) => late === 1))
  // Only this minute is compared: records of the other one may be in another partition, depending
  // on its key.
  const after = all.findLast(({ rate }) => rate.windowStartMs === longAgoMs)?.rate
  assert.deepEqual([after?.orders, after?.late, after?.isFinal], [2, 1, true])
  assert.ok((after?.revision ?? 0) > first.rate.revision)
})

test('a revision that may be unpublished is published again with the same bytes and event id', async t => {
  const store = createMemoryStore(policy)
  let failuresLeft = 2
  const forgetful: RateStore = {
    ...store,
    markPublished: async windows => {
      if (failuresLeft-- > 0) throw Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })
      await store.markPublished(windows)
    }
  }
  const { place, until } = setUp(t, forgetful)
  await place(longAgoMs)
  const read = await until(rates => rates.length >= 3)
  const [first, second, third] = read.map(({ record }) => record)
  assert.deepEqual([second?.value, third?.value], [first?.value, first?.value])
  assert.equal(third?.headers['event-id'], first?.headers['event-id'])
})

test('an order with an invalid creation time becomes a dead letter, and the others are counted', async t => {
  const { broker, place, until } = setUp(t)
  await place(-5, longAgoMs)
  const [{ rate } = assert.fail()] = await until(rates => rates.length > 0)
  assert.equal(rate.orders, 1)
  const [deadLettered] = broker.records(deadLetterTopic('orders.created'))
  assert.equal(deadLettered?.headers['dlq-code'], 'ORDER_TIME_INVALID')
  assert.equal(deadLettered?.headers['dlq-stage'], 'order-rate')
})

test('orders wait while the database is unavailable, and none becomes a dead letter', async t => {
  const store = createMemoryStore(policy)
  let failuresLeft = 2
  const { broker, place, until } = setUp(t, {
    ...store,
    count: async orders => {
      if (failuresLeft-- > 0) throw Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })
      return store.count(orders)
    }
  })
  await place(longAgoMs, longAgoMs)
  await until(rates => rates.some(({ orders }) => orders === 2))
  assert.equal(broker.records(deadLetterTopic('orders.created')).length, 0)
})

test('only the owner of partition 0 publishes', async () => {
  const store = createMemoryStore(policy)
  await store.count([{ partition: 1, offset: 0, createdAtMs: longAgoMs, writtenAtMs: longAgoMs }])
  const { tick } = rateStage({
    ...topics,
    store,
    publishEveryMs: 1_000
  })
  const run = (partition: number) =>
    tick?.run({
      signal: new AbortController().signal,
      partitions: [{ topic: 'orders.created', partition, offset: 1n, completeUntilMs: Date.now() }],
      partitionCounts: new Map([['orders.created', 2]])
    })
  assert.equal((await run(1))?.length, 0)
  assert.equal((await run(0))?.length, 1)
})
