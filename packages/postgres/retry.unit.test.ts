import assert from 'node:assert/strict'
import { test } from 'node:test'
import { backoffMs } from '@orderly/retry'
import { retryTransient } from './retry.ts'

const transient = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })

test('a transient error is retried until the work succeeds', async () => {
  const seen: number[] = []
  let calls = 0
  const result = await retryTransient(
    async () => {
      calls++
      if (calls < 3) throw transient
      return 'done'
    },
    { firstDelayMs: 1, onRetry: (_error, attempt) => seen.push(attempt) }
  )
  assert.equal(result, 'done')
  assert.deepEqual(seen, [1, 2])
})

test('a permanent error is not retried', async () => {
  let calls = 0
  const work = async () => {
    calls++
    throw new TypeError('a bug')
  }
  await assert.rejects(retryTransient(work), TypeError)
  assert.equal(calls, 1)
})

test('the last error is thrown when the attempts are exhausted', async () => {
  let calls = 0
  const work = async () => {
    calls++
    throw transient
  }
  await assert.rejects(retryTransient(work, { attempts: 3, firstDelayMs: 1 }), transient)
  assert.equal(calls, 3)
})

test('an abort ends the backoff and throws the error that caused it', async () => {
  const controller = new AbortController()
  const work = async () => {
    throw transient
  }
  const running = retryTransient(work, {
    firstDelayMs: 60_000,
    signal: controller.signal,
    onRetry: () => controller.abort()
  })
  await assert.rejects(running, transient)
})

test('the backoff doubles up to its limit, with jitter of up to half', () => {
  const backoff = { initialMs: 50, maxMs: 1000 }
  assert.equal(backoffMs(1, backoff, 1), 50)
  assert.equal(backoffMs(3, backoff, 1), 200)
  assert.equal(backoffMs(30, backoff, 1), 1000)
  assert.equal(backoffMs(3, backoff, 0), 100)
})
