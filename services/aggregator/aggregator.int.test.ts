import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deadLetterTopic, stageFailpoints } from '@orderly/kafka'
import { readCommitted } from '@orderly/kafka/testing'
import { backUpSchema } from '@orderly/launcher/testing'
import { windowKey, windowMs, windowStartOf } from './domain/window.ts'
import { checkHistory, newest } from './testing/check-rates.ts'
import { type Pipeline, type PlacedOrder, type PublishedRate, startPipeline } from './testing/pipeline.ts'

const hourMs = 3_600_000
const thisMinuteMs = windowStartOf(Date.now())
/**
 * Start of past minutes, which become final as soon as everything is counted. Orders placed after
 * that are late.
 */
const longAgoMs = thisMinuteMs - hourMs
const settings = { AGGREGATOR_GRACE_MS: '60000', AGGREGATOR_PUBLISH_INTERVAL_MS: '100' }

/** Creates the given number of orders for each minute, all written at their time of creation. */
function ordersOf(figures: readonly number[], startMs: number): PlacedOrder[] {
  return figures
    .flatMap((count, minute) =>
      Array.from({ length: count }, (_, index) => ({
        userID: `user-${index % 23}`,
        createdAtMs: startMs + minute * windowMs + Math.floor((index * windowMs) / count)
      }))
    )
    .sort((a, b) => a.createdAtMs - b.createdAtMs)
}

/** Waits until the minutes are final and asserts the number of orders in each. */
async function checkFigures(pipeline: Pipeline, figures: readonly number[], startMs: number): Promise<void> {
  const starts = figures.map((_, minute) => startMs + minute * windowMs)
  const rates = await pipeline.published(rates => areFinal(rates, starts))
  checkHistory(rates)
  const last = newest(rates)
  assert.deepEqual(
    starts.map(start => last.get(start)?.orders),
    figures
  )
  assert.ok(starts.every(start => last.get(start)?.late === 0))
}

function areFinal(rates: readonly PublishedRate[], starts: readonly number[]): boolean {
  const last = newest(rates)
  return starts.every(start => last.get(start)?.isFinal === true)
}

async function until(isTrue: () => Promise<boolean>): Promise<void> {
  while (!(await isTrue()));
}

async function metric(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  return Number(
    text
      .split('\n')
      .find(line => line.startsWith(name))
      ?.split(' ')
      .at(-1)
  )
}

test('minutes become final without further orders, late orders are counted separately, and GET /rates returns both', async t => {
  const pipeline = await startPipeline(t, settings)
  const startMs = longAgoMs
  const lastInTimeMs = startMs + 2 * windowMs - 1
  await pipeline.place([
    ...ordersOf([3, 0, 2], startMs),
    { createdAtMs: startMs, writtenAtMs: lastInTimeMs },
    { createdAtMs: startMs, writtenAtMs: lastInTimeMs + 1 },
    { userID: 'of no possible time', createdAtMs: -1 }
  ])
  const { url, stop } = await pipeline.start(t, 'one')
  const finals = newest(await pipeline.published(rates => areFinal(rates, [startMs, startMs + 2 * windowMs])))
  assert.deepEqual([...finals.values()].map(({ orders, late }) => [orders, late]).sort(), [
    [2, 0],
    [4, 1]
  ])
  await pipeline.place([{ createdAtMs: startMs, writtenAtMs: Date.now() }])
  const rates = await pipeline.published(rates => newest(rates).get(startMs)?.late === 2)
  checkHistory(rates)
  const figures = newest(rates).get(startMs)
  assert.deepEqual([figures?.orders, figures?.late, figures?.isFinal], [4, 2, true])
  assert.equal(rates.find(({ rate }) => rate.windowStartMs === startMs)?.record.key, windowKey(startMs))
  assert.equal(await metric(url, 'orderly_aggregator_orders_total{kind="late"'), 2)
  const deadLetters = deadLetterTopic('orders.created')
  const [deadLettered] = await readCommitted(pipeline.connection, deadLetters, records => records.length > 0)
  assert.equal(deadLettered?.headers['dlq-code'], 'ORDER_TIME_INVALID')

  const { windows, completeUntilMs } = (await (await fetch(`${url}/rates?minutes=120`)).json()) as {
    windows: { window: string; orders: number; late: number; isFinal: boolean }[]
    completeUntilMs: number
  }
  assert.equal(windows.length, 120)
  assert.ok(Math.abs(Date.now() - completeUntilMs) < 30_000)
  const reported = (minute: number) => {
    const found = windows.find(({ window }) => window === windowKey(startMs + minute * windowMs))
    return [found?.orders, found?.late, found?.isFinal]
  }
  assert.deepEqual(reported(0), [4, 2, true])
  assert.deepEqual(reported(1), [0, 0, true])
  assert.deepEqual(reported(2), [2, 0, true])
  const refused = await fetch(`${url}/rates?minutes=1441`)
  assert.equal(refused.status, 400)
  assert.match(String(refused.headers.get('content-type')), /^application\/problem\+json/)
  assert.equal((await stop('SIGTERM')).code, 0)
})

test('an order that was written long after its record was created is late by the timestamp of the broker', async t => {
  const pipeline = await startPipeline(t, settings, 'broker')
  await pipeline.place([{ createdAtMs: longAgoMs, writtenAtMs: longAgoMs }])
  const { stop } = await pipeline.start(t, 'one')
  const rates = await pipeline.published(rates => areFinal(rates, [longAgoMs]))
  const figures = newest(rates).get(longAgoMs)
  assert.deepEqual([figures?.orders, figures?.late], [0, 1])
  assert.equal((await stop('SIGTERM')).code, 0)
})

test('an instance that is killed at every failpoint counts each order once and publishes every count', async t => {
  const pipeline = await startPipeline(t, settings)
  const figures = [200, 150, 250]
  await pipeline.place(ordersOf(figures, longAgoMs))
  const counting = { AGGREGATOR_MAX_BATCH: '20', AGGREGATOR_PUBLISH_INTERVAL_MS: '60000' }
  for (const point of stageFailpoints) await pipeline.killAt(t, point, 3, counting)
  const { stop } = await pipeline.start(t, 'one', counting)
  await until(async () => (await pipeline.counted(longAgoMs, Date.now())) === 600)
  assert.equal((await stop('SIGTERM')).code, 0)
  // Everything is counted and nothing is published, so only publications pass failpoints from here
  // on.
  for (const point of stageFailpoints.filter(point => !point.startsWith('batch-'))) await pipeline.killAt(t, point, 1)
  const last = await pipeline.start(t, 'one')
  await checkFigures(pipeline, figures, longAgoMs)
  assert.equal((await last.stop('SIGTERM')).code, 0)
})

test('counts are exact although instances are killed, frozen, replaced and added during counting', async t => {
  const pipeline = await startPipeline(t, { ...settings, AGGREGATOR_MAX_BATCH: '10' })
  const figures = [700, 1, 900, 400]
  await pipeline.place(ordersOf(figures, longAgoMs))
  const first = await pipeline.start(t, 'one')
  const second = await pipeline.start(t, 'two')
  await until(async () => (await pipeline.counted(longAgoMs, Date.now())) > 100)
  await first.stop('SIGKILL')
  second.signal('SIGSTOP')
  await pipeline.start(t, 'one')
  await pipeline.start(t, 'three')
  const replacement = await pipeline.start(t, 'two')
  second.signal('SIGCONT')
  await checkFigures(pipeline, figures, longAgoMs)
  assert.equal((await second.exit).code, 70)
  assert.equal((await replacement.stop('SIGTERM')).code, 0)
})

test('orders placed while instances start and stop are counted in the minutes of their creation', async t => {
  const pipeline = await startPipeline(t, settings)
  const first = await pipeline.start(t, 'one')
  const placed = new Map<number, number>()
  let isOver = false
  let total = 0
  const placing = (async () => {
    for (; !isOver; total += 20) {
      const createdAtMs = Date.now()
      await pipeline.place(Array.from({ length: 20 }, (_, index) => ({ userID: `user-${index}`, createdAtMs })))
      placed.set(windowStartOf(createdAtMs), (placed.get(windowStartOf(createdAtMs)) ?? 0) + 20)
    }
  })()
  await pipeline.start(t, 'two')
  await first.stop('SIGTERM')
  const third = await pipeline.start(t, 'three')
  await third.stop('SIGKILL')
  await pipeline.start(t, 'three')
  isOver = true
  await placing
  t.diagnostic(`${total} orders`)
  const rates = await pipeline.published(rates => {
    const last = newest(rates)
    return [...placed].every(([startMs, orders]) => last.get(startMs)?.orders === orders)
  })
  checkHistory(rates)
  assert.equal(await pipeline.counted(0, Date.now()), total)
})

test('a database restored to an earlier state rewinds the aggregator, which counts lost orders again, up to the same revision', async t => {
  const pipeline = await startPipeline(t, settings)
  const instance = await pipeline.start(t, 'one')
  /** A time in a minute that does not become final during the test. */
  const createdAtMs = Date.now() + hourMs
  const place = (count: number) =>
    pipeline.place(Array.from({ length: count }, (_, index) => ({ userID: `user-${index}`, createdAtMs })))
  const figuresAt = async (orders: number) => {
    const rates = await pipeline.published(rates => rates.at(-1)?.rate.orders === orders)
    return rates.map(({ rate, record }) => ({ revision: rate.revision, value: record.value.toString('base64') }))
  }
  await place(30)
  await figuresAt(30)
  const backup = await backUpSchema(pipeline.pool, 'aggregator')
  await place(40)
  const before = (await figuresAt(70)).at(-1)
  await backup.restore()
  await place(5)
  const after = await figuresAt(75)
  assert.equal(await pipeline.counted(0, createdAtMs + hourMs), 75)
  assert.ok(Number(after.at(-1)?.revision) > Number(before?.revision))
  for (const [revision, own] of Map.groupBy(after, ({ revision }) => revision))
    assert.equal(new Set(own.map(({ value }) => value)).size, 1, `revision ${revision}`)
  const { rows } = await pipeline.pool.query('SELECT DISTINCT kind FROM aggregator.incidents')
  assert.deepEqual(rows, [{ kind: 'database_behind' }])
  assert.equal((await instance.stop('SIGTERM')).code, 0)
})

test('orders of a recreated topic are counted although their offsets were counted before', async t => {
  const pipeline = await startPipeline(t, settings)
  const instance = await pipeline.start(t, 'one')
  await pipeline.place(ordersOf([40], longAgoMs))
  await until(async () => (await pipeline.counted(longAgoMs, Date.now())) === 40)
  await pipeline.recreateOrders()
  await pipeline.place(ordersOf([0, 30], longAgoMs))
  await until(async () => (await pipeline.counted(longAgoMs, Date.now())) === 70)
  assert.equal(await metric(instance.url, 'orderly_stage_topic_recreations_total'), 1)
  assert.equal((await instance.stop('SIGTERM')).code, 0)
})
