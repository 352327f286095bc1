import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Registry } from 'prom-client'
import { windowMs } from '../domain/window.ts'
import { publishedRates } from './published-rates.ts'

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
