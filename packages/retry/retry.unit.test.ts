import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { backoffMs, type RetryPolicy, retry } from './retry.ts'

class Transient extends Error {}

const policy = (overrides: Partial<RetryPolicy> = {}): RetryPolicy => ({
  isTransient: error => error instanceof Transient,
  initialMs: 1,
  ...overrides
})

/** Fails with these errors, then succeeds with the number of calls. */
function failing(...errors: Error[]) {
  let calls = 0
  const work = async () => {
    const error = errors[calls++]
    if (error !== undefined) throw error
    return calls
  }
  return { work, calls: () => calls }
}

describe('retry', () => {
  test('transient errors are retried and reported with their delays', async () => {
    const reported: unknown[] = []
    const { work } = failing(new Transient('first'), new Transient('second'))
    const onRetry = (error: unknown, ...rest: number[]) => reported.push([(error as Error).message, ...rest])
    assert.equal(await retry(work, policy({ maxMs: 4, jitter: 0, onRetry })), 3)
    assert.deepEqual(reported, [
      ['first', 1, 1],
      ['second', 2, 2]
    ])
  })

  test('a permanent error is not retried', async () => {
    const { work, calls } = failing(new TypeError('wrong'))
    await assert.rejects(retry(work, policy()), TypeError)
    assert.equal(calls(), 1)
  })

  test('exhausted attempts reject with the last error', async () => {
    const { work, calls } = failing(new Transient('1'), new Transient('2'), new Transient('3'))
    await assert.rejects(retry(work, policy({ attempts: 2 })), { message: '2' })
    assert.equal(calls(), 2)
  })

  test('an attempt that fails after the timeout is not repeated', async () => {
    const { work, calls } = failing(new Transient('late'))
    await assert.rejects(retry(work, policy({ timeoutMs: -1 })), { message: 'late' })
    assert.equal(calls(), 1)
  })

  test('the policy can choose the delay by the error', async () => {
    const delays: number[] = []
    const { work } = failing(new Transient('now'), new Transient('usual'))
    const delayMs = (error: unknown) => ((error as Error).message === 'now' ? 0 : undefined)
    await retry(work, policy({ delayMs, jitter: 0, onRetry: (_error, _attempt, ms) => delays.push(ms) }))
    assert.deepEqual(delays, [0, 1])
  })

  test('an abort ends the delay and rejects with the last error', async () => {
    const abort = new AbortController()
    const { work } = failing(new Transient('pending'))
    const running = retry(
      work,
      policy({ initialMs: 60_000, signal: abort.signal, onRetry: () => queueMicrotask(() => abort.abort()) })
    )
    await assert.rejects(running, { message: 'pending' })
  })
})

test('the backoff grows by the factor up to its maximum, less the jitter', () => {
  const growing = { initialMs: 50, maxMs: 1_000 }
  assert.deepEqual(
    [1, 3, 30].map(attempt => backoffMs(attempt, growing, 1)),
    [50, 200, 1_000]
  )
  assert.equal(backoffMs(3, growing, 0), 100)
  assert.equal(backoffMs(3, { ...growing, jitter: 0 }, 0), 200)
  assert.equal(backoffMs(3, { ...growing, factor: 1 }, 1), 50)
  assert.equal(backoffMs(3, { initialMs: 50 }, 1), 50)
})
