import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { recordLog, silentLogger } from '../testing/index.ts'
import { createReadiness } from './readiness.ts'

const logger = silentLogger()

describe('readiness', () => {
  test('a service without checks is ready', async () => {
    assert.deepEqual(await createReadiness({ logger }).check(), { isReady: true, checks: {} })
  })

  test('one failing check makes the service unready, and only the log contains the reasons', async () => {
    const { logger, lines } = recordLog()
    const readiness = createReadiness({ logger, freshMs: 0 })
    readiness.add('API keys', async () => true)
    readiness.add('stage', () => false)
    readiness.add('database', () => Promise.reject(new Error('password hunter2 was refused')))
    for (let round = 0; round < 3; round++) {
      const report = { isReady: false, checks: { 'API keys': 'ok', stage: 'failing', database: 'failing' } }
      assert.deepEqual(await readiness.check(), report)
    }
    const failures = lines.filter(({ event }) => event === 'readiness_check_failed')
    assert.deepEqual(
      failures.map(({ level, check, error }) => [level, check, (error as Error).message]),
      [
        ['warn', 'stage', 'stage is not ready'],
        ['warn', 'database', 'password hunter2 was refused']
      ],
      'one log line per change'
    )
  })

  test('a check with the gate `start` keeps the service unready until it has passed once', async () => {
    const { logger, lines } = recordLog()
    const readiness = createReadiness({ logger, freshMs: 0 })
    let hasJoined = false
    readiness.add('stage', () => hasJoined, 'start')
    assert.equal((await readiness.check()).isReady, false)
    hasJoined = true
    assert.equal((await readiness.check()).isReady, true)
    hasJoined = false
    assert.deepEqual(await readiness.check(), { isReady: true, checks: { stage: 'failing' } })
    assert.deepEqual(
      lines.filter(({ check }) => check === 'stage').map(({ level, event }) => [level, event]),
      [
        ['info', 'readiness_check_pending'],
        ['info', undefined],
        ['warn', 'readiness_check_failed']
      ]
    )
  })

  test('a check with the gate `never` is reported but does not make the service unready', async () => {
    const readiness = createReadiness({ logger })
    readiness.add('kafka', () => Promise.reject(new Error('no broker answers')), 'never')
    assert.deepEqual(await readiness.check(), { isReady: true, checks: { kafka: 'failing' } })
  })

  test('a hanging check is reported as failing and not started a second time', async () => {
    const readiness = createReadiness({ logger, checkTimeoutMs: 1, freshMs: 0 })
    let runs = 0
    let answer: (isReady: boolean) => void = () => {}
    readiness.add('kafka', () => {
      runs++
      return new Promise(resolve => {
        answer = resolve
      })
    })
    for (let round = 0; round < 3; round++) {
      assert.deepEqual((await readiness.check()).checks, { kafka: 'failing' })
    }
    assert.equal(runs, 1)
    answer(true)
  })

  test('checks run once for several requests while the report is fresh', async () => {
    const readiness = createReadiness({ logger, freshMs: 60_000 })
    let runs = 0
    readiness.add('kafka', () => ++runs > 0)
    await Promise.all(Array.from({ length: 10 }, () => readiness.check()))
    await readiness.check()
    assert.equal(runs, 1)
  })
})
