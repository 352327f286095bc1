import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pino } from 'pino'
import { createReleasers } from './releasers.ts'

const logger = pino({ level: 'silent' })

test('resources are released sequentially, last opened first', async () => {
  const steps: string[] = []
  const releasers = createReleasers(logger)
  for (const name of ['pool', 'stage']) {
    releasers.push(name, async () => {
      steps.push(`${name} begins`)
      assert.equal(releasers.current(), name)
      await new Promise(resolve => setImmediate(resolve))
      steps.push(`${name} ends`)
    })
  }
  await releasers.release()
  assert.deepEqual(steps, ['stage begins', 'stage ends', 'pool begins', 'pool ends'])
})

test('all releasers run even if some fail, and the first error is thrown', async () => {
  const released: string[] = []
  const releasers = createReleasers(logger)
  releasers.push('first', () => {
    released.push('first')
  })
  releasers.push('second', () => {
    throw new Error('from second')
  })
  releasers.push('third', () => Promise.reject(new Error('from third')))
  await assert.rejects(releasers.release(), /from third/)
  assert.deepEqual(released, ['first'])
})

test('releasing twice runs every releaser once', async () => {
  let runs = 0
  const releasers = createReleasers(logger)
  releasers.push('counted', () => {
    runs++
  })
  await Promise.all([releasers.release(), releasers.release()])
  await releasers.release()
  assert.equal(runs, 1)
})

test('a resource that is opened after the release began is released as well', async () => {
  const released: string[] = []
  const releasers = createReleasers(logger)
  releasers.push('slow', async () => {
    releasers.push('opened meanwhile', () => {
      released.push('opened meanwhile')
    })
    await new Promise(resolve => setImmediate(resolve))
    released.push('slow')
  })
  await releasers.release()
  releasers.push('opened afterwards', () => {
    released.push('opened afterwards')
  })
  assert.deepEqual(released, ['opened meanwhile', 'slow', 'opened afterwards'])
})
