import assert from 'node:assert/strict'
import { randomInt, randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { integrationEnvironment } from '@orderly/launcher/testing'
import fc from 'fast-check'
import { createTopics } from '../cluster/admin.ts'
import { deadLetterTopic } from '../dead-letters/topics.ts'
import { createProducer } from '../producer/producer.ts'
import { runStage } from '../stage/run-stage.ts'
import { anyRecord, asBytes, fieldsOf } from '../testing/arbitrary-records.ts'
import { readCommitted } from '../testing/read-committed.ts'
import { textCodec } from '../testing/text-codec.ts'
import { executeOnDeadLetters } from './execute.ts'
import { planReplay } from './plan.ts'

const connection = { brokers: integrationEnvironment().kafkaBrokers, clientID: 'integration-test' }
const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

test('a record is identical byte for byte after it was dead-lettered and replayed', async t => {
  const seed = Number(process.env.ORDERLY_TEST_SEED ?? randomInt(2 ** 31))
  t.diagnostic(`seed ${seed} (set ORDERLY_TEST_SEED to repeat)`)
  const [input, log] = [`in-${randomUUID()}`, `log-${randomUUID()}`]
  const deadLetters = deadLetterTopic(input)
  await createTopics(
    connection,
    [input, deadLetters, log].map(name => ({ name, partitions: 1, replicationFactor: 1 }))
  )
  const records = fc.sample(anyRecord(), { seed, numRuns: 60 })
  const producer = await createProducer(connection)
  t.after(() => producer.close())
  // The broker sets the timestamps, because it rejects those in the future.
  for (const { key, value, headers } of records) await producer.send([{ topic: input, key, value, headers }])
  const stage = runStage(
    {
      name: 'broken',
      group: `group-${input}`,
      inputs: [{ name: input, eventType: 'Text', codec: textCodec }],
      process: () => Promise.reject(new Error('broken'))
    },
    { connection, transactionalID: `stage-${input}`, isTransient: () => false, logger: silent }
  )
  t.after(() => stage.stop())
  await readCommitted(connection, deadLetters, found => found.length === records.length)
  await stage.stop()
  const operation = {
    topic: deadLetters,
    plan: (keys: Parameters<typeof planReplay>[0]) => planReplay(keys, 'a replay'),
    audit: () => ({ topic: log, key: 'k', value: null, headers: {} }),
    ratePerSecond: 1_000
  }
  await executeOnDeadLetters(connection, operation, { signal: t.signal, waitMs: 0 })
  const isReplayed = ({ headers }: { headers: Readonly<Record<string, string>> }) =>
    headers['dlq-replay'] === 'a replay'
  const written = await readCommitted(connection, input, found => found.filter(isReplayed).length === records.length)
  const byOrigin = new Map(written.filter(isReplayed).map(record => [record.headers['dlq-origin'], record]))
  for (const [offset, { key, value, headers }] of records.entries()) {
    const { bytes } = byOrigin.get(`0/${offset}`) ?? assert.fail(`nothing was replayed for offset ${offset}`)
    const own = fieldsOf(headers)
    assert.deepEqual(
      { ...bytes, headers: bytes.headers.slice(0, own.length) },
      { key: key === null ? null : asBytes(key), value, headers: own }
    )
  }
})
