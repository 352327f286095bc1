import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { silentLogger } from '@orderly/service-kit/testing'
import { createMemoryApiKeyStore, grantKey } from '../testing/memory-api-keys.ts'
import { newApiKey } from './api-key.ts'
import { createAPIKeyCache } from './api-key-cache.ts'
import type { ApiKeyStore } from './key-store.ts'

const logger = silentLogger()

/**
 * Creates a cache with a store that can be made unavailable and with a clock that the test
 * controls.
 */
function open(t: TestContext, settings: { refreshMs?: number } = {}) {
  const memory = createMemoryApiKeyStore()
  let isAway = false
  let reads = 0
  const store: ApiKeyStore = {
    ...memory,
    async valid() {
      reads++
      if (isAway) throw new Error('connection refused')
      return memory.valid()
    }
  }
  let laterMs = 0
  const callers = createAPIKeyCache(store, {
    refreshMs: 3_600_000,
    trustMs: 60_000,
    requestsPerMinute: 100,
    leastGapMs: 0,
    logger,
    nowMs: () => Date.now() + laterMs,
    ...settings
  })
  t.after(() => callers.stop())
  return {
    store,
    callers,
    reads: () => reads,
    setAway: (away: boolean) => {
      isAway = away
    },
    passMs: (ms: number) => {
      laterMs += ms
    }
  }
}

test('a key created after the last reload works immediately, and is then cached', async t => {
  const { store, callers } = open(t)
  await callers.loaded
  const key = await grantKey(store, { name: 'berlin', role: 'shop' })
  const caller = await callers.find(key)
  assert.deepEqual([caller?.name, caller?.role, caller?.quota.requestsPerMinute], ['berlin', 'shop', 100])
  assert.ok(!(callers.find(key) instanceof Promise))
  const second = await grantKey(store, { name: 'berlin', role: 'shop' })
  assert.equal((await callers.find(second))?.quota, caller?.quota, 'two keys of a caller share its quota')
})

test('malformed keys are refused without a reload, and unknown keys share reloads', async t => {
  const { callers, reads } = open(t)
  await callers.loaded
  for (const rubbish of ['', 'x', `orderly_${'0'.repeat(12)}_short`]) assert.equal(callers.find(rubbish), undefined)
  assert.equal(reads(), 1)
  const unknown = Array.from({ length: 100 }, () => callers.find(newApiKey().key))
  assert.ok((await Promise.all(unknown)).every(caller => caller === undefined))
  assert.ok(reads() <= 3, `${reads()} reads`)
})

test('a revoked key is refused after the next reload', async t => {
  const { store, callers } = open(t, { refreshMs: 1 })
  const key = await grantKey(store, { name: 'berlin', role: 'shop' })
  assert.ok(await callers.find(key))
  await store.revoke({ name: 'berlin' })
  while ((await callers.find(key)) !== undefined) await new Promise(resolve => setImmediate(resolve))
})

test('an expired key is refused at its expiry time without waiting for a reload', async t => {
  const { store, callers, passMs } = open(t)
  const key = await grantKey(store, { name: 'berlin', role: 'shop', expiresAtMs: Date.now() + 10_000 })
  assert.ok(await callers.find(key))
  assert.ok(!(callers.find(key) instanceof Promise), 'the key is cached')
  passMs(10_001)
  const late = callers.find(key)
  assert.ok(late instanceof Promise, 'the expired key causes a reload')
})

test('while the database is unavailable, cached keys are accepted until the cache is too old, and others fail', async t => {
  const { store, callers, setAway, passMs } = open(t)
  const key = await grantKey(store, { name: 'berlin', role: 'shop' })
  await callers.find(key)
  setAway(true)
  await assert.rejects(Promise.resolve(callers.find(newApiKey().key)), { code: 'CALLERS_UNAVAILABLE', retryable: true })
  passMs(59_000)
  assert.equal((await callers.find(key))?.name, 'berlin')
  passMs(2_000)
  assert.throws(() => callers.find(key), { code: 'CALLERS_UNAVAILABLE' })
  assert.equal(callers.isReady(), false)
})

test('before the first reload, keys are neither accepted nor reported as invalid', async t => {
  const { store, callers, setAway } = open(t)
  setAway(true)
  const key = await grantKey(store, { name: 'berlin', role: 'shop' })
  await assert.rejects(
    Promise.resolve().then(() => callers.find(key)),
    { code: 'CALLERS_UNAVAILABLE' }
  )
  setAway(false)
  assert.equal((await callers.find(key))?.name, 'berlin')
})

describe('the signal `ended` of a key', () => {
  test('is aborted by the next reload after the key was revoked, unlike those of other keys of the caller', async t => {
    const { store, callers } = open(t, { refreshMs: 1 })
    const [first, second] = [
      await grantKey(store, { name: 'berlin', role: 'shop' }),
      await grantKey(store, { name: 'berlin', role: 'shop' })
    ]
    const ended = (await callers.find(first))?.ended
    const other = (await callers.find(second))?.ended
    assert.ok(ended !== undefined && other !== undefined)
    assert.deepEqual([ended.aborted, other.aborted], [false, false])
    const isOver = new Promise(resolve => ended.addEventListener('abort', resolve))
    await store.revoke({ id: first.split('_')[1] as string })
    await isOver
    assert.equal(other.aborted, false)
  })

  test('is not aborted while the database is unavailable until the cache is too old', async t => {
    const { store, callers, setAway, passMs } = open(t, { refreshMs: 1 })
    const key = await grantKey(store, { name: 'berlin', role: 'shop' })
    const ended = (await callers.find(key))?.ended
    setAway(true)
    passMs(50_000)
    await new Promise(resolve => setTimeout(resolve, 20))
    assert.equal(ended?.aborted, false)
    const isOver = new Promise(resolve => ended?.addEventListener('abort', resolve))
    passMs(20_000)
    await isOver
  })
})
