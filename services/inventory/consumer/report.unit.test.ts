import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import { test } from 'node:test'
import type { OrderCreated } from '@orderly/contracts'
import { orderCreated } from '@orderly/contracts/testing'
import type { StageRecord } from '@orderly/kafka'
import { fetchedHeaders } from '@orderly/kafka/testing'
import { newTraceparent, parseTraceparent } from '@orderly/service-kit'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { at, decide } from '../domain/testing/decide.ts'
import type { HandledOrder } from './order-stage.ts'
import { reportDecided } from './report.ts'

function handled(available: number, isReplay = false): HandledOrder {
  const event = orderCreated({ items: [{ sku: 'mug', quantity: 2 }] })
  const [outcome] = decide(new Map([['mug', available]]), [event], at(7)).outcomes
  const traceparent = newTraceparent()
  const position = {
    topic: 'orders.created',
    partition: 3,
    offset: 42n,
    topicID: undefined,
    timestampMs: 7,
    key: event.userID
  }
  const record: StageRecord<OrderCreated> = { ...position, headers: fetchedHeaders({ traceparent }), event }
  assert.ok(outcome)
  return { record, outcome, isReplay, traceparent }
}

function setUp(level: string) {
  const lines: Record<string, unknown>[] = []
  const stream = new Writable({
    write(chunk, _encoding, done) {
      lines.push(JSON.parse(chunk))
      done()
    }
  })
  const metrics = new Registry()
  const clock = { nowMs: 0 }
  return { lines, metrics, clock, report: reportDecided(metrics, pino({ level }, stream), () => clock.nowMs) }
}

test('outcomes are counted by kind, replayed ones separately', async () => {
  const { report, metrics } = setUp('info')
  report([handled(5), handled(5), handled(1), handled(5, true)], 12)
  const value = async (name: string) =>
    ((await metrics.getSingleMetric(name)?.get()) ?? assert.fail(name)).values.map(({ labels, value }) => [
      labels.kind,
      value
    ])
  assert.deepEqual(await value('orderly_inventory_outcomes_total'), [
    ['reserved', 2],
    ['failed', 1]
  ])
  assert.deepEqual(await value('orderly_inventory_replayed_outcomes_total'), [[undefined, 1]])
})

test('at debug level every order has a line with its ids, trace id, partition and offset', () => {
  const { report, lines } = setUp('debug')
  const order = handled(1)
  report([order], 12)
  const [line] = lines
  assert.equal(line?.msg, 'order decided')
  assert.equal(line.orderID, order.record.event.orderID)
  assert.equal(line.outcome, 'failed')
  assert.equal(line.traceID, parseTraceparent(order.traceparent)?.traceID)
  assert.deepEqual(line.shortages, [{ sku: 'mug', requested: 2, available: 1, reason: 'OUT_OF_STOCK' }])
  assert.deepEqual([line.partition, line.offset], [3, '42'])
})

test('at info level a summary is logged at most once a minute', () => {
  const { report, lines, clock } = setUp('info')
  report([handled(5)], 12)
  clock.nowMs = 59_999
  report([handled(1)], 12)
  assert.equal(lines.length, 0)
  clock.nowMs = 60_000
  report([handled(5, true)], 12)
  assert.deepEqual(
    lines.map(({ msg, reserved, failed, replayed }) => ({ msg, reserved, failed, replayed })),
    [{ msg: 'orders decided', reserved: 1, failed: 1, replayed: 1 }]
  )
})
