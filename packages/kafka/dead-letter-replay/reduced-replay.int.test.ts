import assert from 'node:assert/strict'
import { randomBytes, randomUUID } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { integrationEnvironment } from '@orderly/launcher/testing'
import { createTopics } from '../cluster/admin.ts'
import { deadLetterTopic } from '../dead-letters/topics.ts'
import { runStage } from '../stage/run-stage.ts'
import type { StageOptions } from '../stage/stage.ts'
import { deleteRecords } from '../testing/change-topics.ts'
import { readCommitted } from '../testing/read-committed.ts'
import { textCodec } from '../testing/text-codec.ts'
import { type BatchToWrite, writeBatch } from '../testing/write-batch.ts'
import { executeOnDeadLetters, originalsOf, readDeadLetters } from './execute.ts'
import { planReplay } from './plan.ts'

const connection = { brokers: integrationEnvironment().kafkaBrokers, clientID: 'integration-test' }
const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

/**
 * Sets up a stage that processes nothing until it is repaired, and a dead-letter topic with a small
 * size limit.
 */
async function setUp(t: TestContext) {
  const [input, output] = [`in-${randomUUID()}`, `out-${randomUUID()}`]
  const deadLetters = deadLetterTopic(input)
  const shape = { partitions: 1, replicationFactor: 1 }
  await createTopics(connection, [
    { name: input, ...shape },
    { name: deadLetters, ...shape, configs: { 'max.message.bytes': '2000' } },
    { name: output, ...shape, configs: { 'max.message.bytes': '8000000' } }
  ])
  const state = { isRepaired: false }
  const start = (options: Pick<StageOptions, 'limits'> = {}) => {
    const stage = runStage(
      {
        name: 'reader',
        group: `group-${input}`,
        inputs: [{ name: input, eventType: 'Text', codec: textCodec }],
        process: async records => {
          if (!state.isRepaired) throw new Error('not yet')
          return records.map(({ key, event }) => ({ topic: output, key, value: Buffer.from(event), headers: {} }))
        }
      },
      { connection, transactionalID: `stage-${input}`, isTransient: () => false, logger: silent, ...options }
    )
    t.after(() => stage.stop())
    return stage
  }
  const write = (records: BatchToWrite['records'], compression?: BatchToWrite['compression']) =>
    writeBatch(connection, { topic: input, partition: 0, records, ...(compression && { compression }) })
  return {
    ...{ input, start, state, write },
    /** Waits for this number of records in the dead-letter topic. */
    deadLettered: (count: number) => readCommitted(connection, deadLetters, found => found.length >= count),
    deadLetters: async () =>
      (await readDeadLetters(connection, [deadLetters], t.signal)).flatMap(({ deadLetters }) => deadLetters),
    replay: (waitMs = 60_000) =>
      executeOnDeadLetters(
        connection,
        {
          topic: deadLetters,
          plan: keys => planReplay(keys, 'a replay'),
          audit: () => ({ topic: output, key: 'audit', value: Buffer.from('audit'), headers: {} }),
          ratePerSecond: 500
        },
        { signal: t.signal, waitMs }
      ),
    outputs: async (count: number) => {
      const found = await readCommitted(connection, output, found => found.filter(isOutput).length >= count)
      return found.filter(isOutput).map(({ key, value }) => `${key} ${value}`)
    }
  }
}

const isOutput = ({ key }: { key: string }) => key !== 'audit'
const hexText = (bytes: number) => randomBytes(bytes / 2).toString('hex')
const record = (key: string, text: string) => ({ key, value: Buffer.from(text), headers: {} })

test('a replay of a reduced dead letter writes the record at its position, in the order of its key', async t => {
  const { start, state, write, deadLettered, deadLetters, replay, outputs } = await setUp(t)
  const [large, compressible] = [hexText(20_000), 'text '.repeat(600_000)]
  await write([record('a', 'before'), record('a', large), record('a', 'after')])
  await write([record('a', compressible)], 'gzip')
  start()
  await deadLettered(4)
  assert.deepEqual(
    (await deadLetters()).map(({ reduced }) => reduced?.why),
    [undefined, 'MESSAGE_TOO_LARGE', undefined, 'MESSAGE_TOO_LARGE']
  )
  state.isRepaired = true
  const { answers, replayed } = await replay()
  assert.deepEqual([replayed, answers.map(({ answer }) => answer)], [4, ['released']])
  assert.deepEqual(
    await outputs(4),
    ['before', large, 'after', compressible].map(text => `a ${text}`)
  )
})

test('a key with a reduced dead letter whose record was removed is left alone completely, and other keys are replayed', async t => {
  const { input, start, state, write, deadLettered, deadLetters, replay, outputs } = await setUp(t)
  await write([record('gone', hexText(4_000)), record('gone', 'follows'), record('here', 'is replayed')])
  start()
  await deadLettered(3)
  await deleteRecords(connection, { topic: input, partition: 0 }, 1n)
  const states = [...(await originalsOf(connection, await deadLetters())).values()]
  assert.deepEqual(states, [{ state: 'removed' }])
  state.isRepaired = true
  const { plan, replayed } = await replay()
  assert.deepEqual(
    plan.leftAlone.map(({ key, why, missing }) => [String(key.key), why, missing?.original.state]),
    [['gone', 'original-missing', 'removed']]
  )
  assert.equal(replayed, 1)
  assert.deepEqual(await outputs(1), ['here is replayed'])
})

test('a replay of the dead letter of a batch writes all records of the batch', async t => {
  const { start, state, write, deadLettered, deadLetters, replay, outputs } = await setUp(t)
  const texts = Array.from({ length: 100 }, (_, index) => `${index} `.padEnd(1_000, '.'))
  const small = start({ limits: { recordBytes: 50_000, batchBytes: 50_000 } })
  await write(
    texts.map((text, index) => record(`key ${index % 7}`, text)),
    'gzip'
  )
  await deadLettered(1)
  const [deadLetter] = await deadLetters()
  assert.deepEqual([deadLetter?.key, deadLetter?.code, deadLetter?.batch?.records], [null, 'BATCH_TOO_LARGE', 100])
  await small.stop()
  state.isRepaired = true
  start()
  await replay(0)
  assert.deepEqual(
    await outputs(100),
    texts.map((text, index) => `key ${index % 7} ${text}`)
  )
  assert.deepEqual(await deadLetters(), [])
})
