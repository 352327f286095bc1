import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, test } from 'node:test'
import { inTransaction, retryTransient, runStatement } from '@orderly/postgres'
import type { OrderRecord } from '../domain/count-orders.ts'
import { windowMs } from '../domain/window.ts'
import { createPostgresStore, forgetTruncated } from './postgres.ts'
import { createAggregatorDatabase, emptyAggregator } from './testing/aggregator-database.ts'
import { testRateStore } from './testing/rate-store-contract.ts'

const database = await createAggregatorDatabase({ after })
const pool = database.open()
const policy = { graceMs: windowMs, clockSkewMs: 0, retentionMs: 1_000 * windowMs }
const startMs = 1_000 * windowMs

testRateStore(
  'the store in Postgres',
  async (_t, policy) => {
    await emptyAggregator(pool)
    return createPostgresStore(pool, policy)
  },
  { runs: 25 }
)

function partitionsOf(count: number, ordersEach: number): OrderRecord[][] {
  return Array.from({ length: count }, (_, partition) =>
    Array.from({ length: ordersEach }, (_, offset) => {
      const createdAtMs = startMs + ((offset * 7) % 5) * windowMs
      return { partition, offset, createdAtMs, writtenAtMs: createdAtMs }
    })
  )
}

test('instances that count the same orders concurrently while connections break count each order once', async () => {
  await emptyAggregator(pool)
  const partitions = partitionsOf(4, 300)
  let isDone = false
  let cuts = 0

  async function countAll(batchSize: number, order: readonly number[]): Promise<number> {
    const store = createPostgresStore(database.open({ applicationName: 'instance' }), policy)
    let counted = 0
    for (let start = 0; start < 300; start += batchSize) {
      const batch = order.flatMap(partition => partitions[partition]?.slice(start, start + batchSize) ?? [])
      const attempt = () => store.count(batch)
      const { inTime } = await retryTransient(attempt, { attempts: 1_000, firstDelayMs: 1, maxDelayMs: 20 })
      counted += inTime
    }
    return counted
  }
  async function disturb(): Promise<void> {
    while (!isDone && cuts < 100) {
      const { rowCount } = await pool.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'instance' AND state <> 'idle'`)
      cuts += rowCount ?? 0
    }
  }

  const disturbing = disturb()
  const reported = await Promise.all([
    countAll(10, [0, 1, 2, 3]),
    countAll(17, [3, 2, 1, 0]),
    countAll(300, [2, 0, 3, 1])
  ])
  isDone = true
  await disturbing
  assert.ok(cuts > 0)
  // Orders of a commit whose response was lost are in no summary.
  assert.ok(reported.reduce((sum, counted) => sum + counted, 0) <= 1_200)
  const { windows } = await createPostgresStore(pool, policy).rates(startMs, startMs + 4 * windowMs)
  assert.deepEqual(
    windows.map(({ orders }) => orders),
    [240, 240, 240, 240, 240]
  )
})

test('offsets from the point of a log divergence on are counted again, and those before it are not', async () => {
  await emptyAggregator(pool)
  const store = createPostgresStore(pool, policy)
  const topicID = randomUUID()
  const orders = (...offsets: number[]) =>
    offsets.map(offset => ({ partition: 0, offset, topicID, createdAtMs: startMs, writtenAtMs: startMs }))
  await store.count(orders(0, 1, 4, 5, 8, 9))
  const position = { topic: 'orders.created', partition: 0, topicID, leaderEpoch: 0, committedOffset: 3n }
  const statements = forgetTruncated([
    { former: { ...position, offset: 10n }, position: { ...position, offset: 3n } },
    { former: { ...position, partition: 1, offset: 10n }, position: { ...position, partition: 1, offset: 10n } }
  ])
  assert.equal(statements.length, 1)
  for (const statement of statements) await runStatement(pool, statement)
  const { rows } = await pool.query('SELECT next_offset, gaps FROM aggregator.partitions WHERE partition = 0')
  assert.deepEqual(rows, [{ next_offset: 3, gaps: [[2, 3]] }])
  assert.deepEqual(await store.count(orders(0, 1, 2, 3, 4)), { inTime: 3, late: 0, unplaced: 0, repeated: 2 })
})

test('a minute cannot become final while a batch is counted in it', async () => {
  await emptyAggregator(pool)
  const [store, finalizing] = ['counting', 'finalizing'].map(applicationName =>
    createPostgresStore(database.open({ applicationName }), policy)
  )
  assert.ok(store && finalizing)
  await store.count([{ partition: 0, offset: 0, createdAtMs: startMs, writtenAtMs: startMs }])
  await store.noteComplete(1, [{ partition: 0, completeUntilMs: startMs + 2 * windowMs }])
  const { finished } = await inTransaction(database.open(), async client => {
    await client.query('SELECT FROM aggregator.partitions FOR UPDATE')
    const finished = finalizing.makeFinal()
    const waiting = `SELECT FROM pg_stat_activity
      WHERE datname = current_database() AND application_name = 'finalizing' AND wait_event_type = 'Lock'`
    while ((await pool.query(waiting)).rowCount === 0);
    assert.equal((await store.rates(startMs, startMs)).windows[0]?.isFinal, false)
    return { finished }
  })
  await finished
  assert.equal((await store.rates(startMs, startMs)).windows[0]?.isFinal, true)
})
