import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLogger } from '@orderly/service-kit'
import { Registry } from 'prom-client'
import { windowMs } from '../domain/window.ts'
import { publishedRates, reportCounted } from './report.ts'

const logger = createLogger({ service: 'aggregator', instance: '1', level: 'silent', isPretty: false })

test('every order is counted by its result, including late ones', async () => {
  const metrics = new Registry()
  const report = reportCounted(metrics, logger, () => 30_000)
  report.onCounted({ inTime: 5, late: 2, unplaced: 1, repeated: 3 }, 20)
  report.onPublished([{ startMs: 0, orders: 5, late: 2, revision: 1, isFinal: true }])
  report.onComplete(7_000)
  report.onComplete(undefined)
  const text = await metrics.metrics()
  for (const line of [
    'orderly_aggregator_orders_total{kind="in-time"} 5',
    'orderly_aggregator_orders_total{kind="late"} 2',
    'orderly_aggregator_orders_total{kind="unplaced"} 1',
    'orderly_aggregator_orders_total{kind="repeated"} 3',
    'orderly_aggregator_published_revisions_total 1',
    'orderly_order_rate_orders{minute="current"} 5',
    'orderly_aggregator_complete_until_timestamp_seconds 7'
  ]) {
    assert.ok(text.includes(line), `${line} in\n${text}`)
  }
})

test('the gauge shows the last published orders of the current and the previous minute, and 0 for newer minutes', async () => {
  let nowMs = 10 * windowMs + 5_000
  const metrics = new Registry()
  const rates = publishedRates(metrics, () => nowMs)
  const window = (minute: number, orders: number) => ({
    ...{ startMs: minute * windowMs, orders, late: 0, revision: 1, isFinal: false }
  })
  rates.published([window(8, 99), window(9, 30), window(10, 2)])
  rates.published([window(10, 7)])
  const values = async () => (await metrics.getMetricsAsJSON())[0]?.values.map(({ value }) => value)
  assert.deepEqual(await values(), [7, 30])
  nowMs += windowMs
  assert.deepEqual(await values(), [0, 7])
  nowMs += windowMs
  assert.deepEqual(await values(), [0, 0])
})
