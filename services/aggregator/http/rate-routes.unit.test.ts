import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { createPool } from '@orderly/postgres'
import { createTestHttp } from '@orderly/service-kit/testing'
import { windowMs } from '../domain/window.ts'
import { createPostgresStore } from '../store/postgres.ts'
import { createMemoryStore } from '../store/testing/memory.ts'
import { addRateRoutes } from './api.ts'

const policy = { graceMs: 0, clockSkewMs: 0, retentionMs: 5_000 * windowMs }
const minuteMs = Date.parse('2025-11-23T06:47:00Z')

async function setUp(t: TestContext) {
  const { http } = createTestHttp(t)
  const store = createMemoryStore(policy)
  addRateRoutes(http, { store, policy, nowMs: () => minuteMs + 20_000 })
  const get = async (query: string) => {
    const response = await http.inject(`/rates${query}`)
    return { status: response.statusCode, type: response.headers['content-type'], body: response.json() }
  }
  return { store, get }
}

test('rates are returned for the newest minutes, current one first, including empty ones', async t => {
  const { store, get } = await setUp(t)
  const order = (offset: number, createdAtMs: number) => ({
    partition: 0,
    offset,
    createdAtMs,
    writtenAtMs: createdAtMs
  })
  await store.count([0, 1, 2].map(index => order(index, minuteMs - 2 * windowMs + index)))
  await store.count([order(3, minuteMs + 5), order(4, minuteMs - 9 * windowMs)])
  await store.noteComplete(1, [{ partition: 0, completeUntilMs: minuteMs + 20_000 }])
  await store.makeFinal()
  const { status, body } = await get('?minutes=3')
  assert.equal(status, 200)
  const common = { perSecond: 0, late: 0 }
  assert.deepEqual(body, {
    completeUntilMs: minuteMs + 20_000,
    windows: [
      {
        ...common,
        ...named('2025-11-23T06:47Z'),
        orders: 1,
        perSecond: 1 / 60,
        perMinute: 1,
        revision: 1,
        isFinal: false
      },
      { ...common, ...named('2025-11-23T06:46Z'), orders: 0, perMinute: 0, revision: 0, isFinal: true },
      { ...common, ...named('2025-11-23T06:45Z'), orders: 3, perSecond: 0.05, perMinute: 3, revision: 4, isFinal: true }
    ]
  })
})

function named(window: string) {
  const windowStartMs = Date.parse(window)
  return { window, windowStartMs, windowEndMs: windowStartMs + windowMs }
}

test('minutes defaults to 60 and is at most 1440', async t => {
  const { get } = await setUp(t)
  const { body } = await get('')
  assert.equal(body.windows.length, 60)
  assert.equal(body.completeUntilMs, null)
  assert.equal((await get('?minutes=1440')).body.windows.length, 1440)
})

test('an invalid number of minutes and an unknown parameter return 400 with the parameter name', async t => {
  const { get } = await setUp(t)
  for (const query of [
    '?minutes=0',
    '?minutes=1441',
    '?minutes=-1',
    '?minutes=ten',
    '?minutes=1.5',
    '?minutes=',
    '?minutes=1&minutes=2'
  ]) {
    const { status, type, body } = await get(query)
    assert.equal(status, 400, query)
    assert.match(String(type), /^application\/problem\+json/)
    assert.equal(body.errors[0].pointer, '#/minutes')
  }
  const unknown = await get('?hours=1')
  assert.equal(unknown.status, 400)
  assert.deepEqual(unknown.body.errors, [{ in: 'query', pointer: '#/hours', detail: 'is not a known field' }])
})

test('rates return 503 with Retry-After while the database is unavailable', async t => {
  const pool = createPool({
    ...{ url: 'postgres://nobody@127.0.0.1:1/nothing', maxConnections: 1, applicationName: 'test' },
    statementTimeoutMs: 1_000
  })
  t.after(() => pool.end())
  const { http } = createTestHttp(t)
  addRateRoutes(http, { store: createPostgresStore(pool, policy), policy, nowMs: () => minuteMs })
  const answer = await http.inject('/rates')
  assert.deepEqual([answer.statusCode, answer.json().code], [503, 'UNAVAILABLE'])
  assert.match(String(answer.headers['content-type']), /^application\/problem\+json/)
  assert.match(String(answer.headers['retry-after']), /^\d+$/)
})
