import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createReadiness } from './readiness.ts'

test('without checks a service is ready', async () => {
  assert.deepEqual(await createReadiness().check(), { isReady: true, checks: {} })
})

test('one check that fails makes the service not ready, and every result is told', async () => {
  const readiness = createReadiness()
  readiness.add('kafka', async () => true)
  readiness.add('stage', () => false)
  readiness.add('database', () => Promise.reject(new Error('connection refused')))
  assert.deepEqual(await readiness.check(), {
    isReady: false,
    checks: { kafka: 'ok', stage: 'stage is not ready', database: 'connection refused' }
  })
})

test('a check that hangs is reported and not started a second time', async () => {
  const readiness = createReadiness({ checkTimeoutMs: 1, freshMs: 0 })
  let runs = 0
  let answer: (isReady: boolean) => void = () => {}
  readiness.add('kafka', () => {
    runs++
    return new Promise(resolve => {
      answer = resolve
    })
  })
  for (let round = 0; round < 3; round++) {
    assert.deepEqual((await readiness.check()).checks, { kafka: 'no answer within 1 ms' })
  }
  assert.equal(runs, 1)
  answer(true)
})

test('asked often, the checks run once', async () => {
  const readiness = createReadiness({ freshMs: 60_000 })
  let runs = 0
  readiness.add('kafka', () => ++runs > 0)
  await Promise.all(Array.from({ length: 10 }, () => readiness.check()))
  await readiness.check()
  assert.equal(runs, 1)
})
