import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { integrationEnvironment, startBroker } from '@orderly/launcher/testing'
import { createTopics } from '../cluster/admin.ts'
import type { KafkaConnection } from '../connection.ts'
import { deadLetterTopic } from '../dead-letters/topics.ts'
import { runStage } from '../stage/run-stage.ts'
import { damageFetchResponses } from '../testing/falsify-fetch.ts'
import { readCommitted } from '../testing/read-committed.ts'
import { textCodec } from '../testing/text-codec.ts'
import { writeBatch } from '../testing/write-batch.ts'

/**
 * Creates two partitions, each with batches of two records; the values name partition, batch and
 * record.
 */
async function setUp(t: TestContext, connection: KafkaConnection) {
  const [input, output] = [`in-${randomUUID()}`, `out-${randomUUID()}`]
  await createTopics(
    connection,
    [input, output, deadLetterTopic(input)].map(name => ({ name, partitions: 2, replicationFactor: 1 }))
  )
  for (const partition of [0, 1]) {
    for (const batch of ['a', 'b', 'c']) {
      const records = [1, 2].map(number => ({
        ...{ key: `${partition}`, value: Buffer.from(`${partition} ${batch}${number}`), headers: {} }
      }))
      await writeBatch(connection, { topic: input, partition, records })
    }
  }
  const events: unknown[] = []
  const note = (fields: object) => void events.push((fields as { event?: unknown }).event)
  const start = () => {
    const stage = runStage(
      {
        name: 'reader',
        group: `group-${input}`,
        inputs: [{ name: input, eventType: 'Text', codec: textCodec }],
        process: async records =>
          records.map(({ key, event }) => ({ topic: output, key, value: Buffer.from(event), headers: {} }))
      },
      {
        ...{ connection, transactionalID: `stage-${input}`, isTransient: () => false },
        logger: { debug: () => {}, info: () => {}, warn: note, error: note }
      }
    )
    t.after(() => stage.stop())
  }
  const outputs = async (count: number) => {
    const records = await readCommitted(connection, output, found => found.length >= count)
    return records.map(({ value }) => String(value)).toSorted()
  }
  const deadLetters = () => readCommitted(connection, deadLetterTopic(input), found => found.length > 0)
  return { input, start, outputs, deadLetters, events }
}

test('a batch that is damaged in transit is fetched again, and no record is lost', async t => {
  const connection = { brokers: integrationEnvironment().kafkaBrokers, clientID: 'integration-test' }
  const { start, outputs, events } = await setUp(t, connection)
  const { damaged } = damageFetchResponses(t, 2)
  start()
  const all = ['0', '1'].flatMap(partition => ['a1', 'a2', 'b1', 'b2', 'c1', 'c2'].map(name => `${partition} ${name}`))
  assert.deepEqual(await outputs(all.length), all)
  assert.equal(damaged(), 2)
  assert.ok(events.includes('batch_damaged'))
})

test('a batch that is damaged on disk becomes one dead letter, and the records after it and in other partitions are processed', async t => {
  const broker = await startBroker(t)
  const connection = { brokers: broker.brokers, clientID: 'integration-test' }
  const { input, start, outputs, deadLetters } = await setUp(t, connection)
  await broker.stop()
  // A broker verifies the checksums of its log only after a crash.
  await broker.damageLog(input, 0, '0 b1')
  await broker.start()
  start()
  const intact = ['0 a1', '0 a2', '0 c1', '0 c2', '1 a1', '1 a2', '1 b1', '1 b2', '1 c1', '1 c2']
  assert.deepEqual(await outputs(intact.length), intact)
  const [deadLetter, ...others] = await deadLetters()
  assert.deepEqual(others, [])
  const {
    'dlq-code': code,
    'dlq-batch': batch,
    'dlq-records': records,
    'dlq-partition': partition
  } = deadLetter?.headers ?? {}
  assert.deepEqual([deadLetter?.bytes.key, code, batch, records, partition], [null, 'BATCH_CORRUPT', '2-3', '2', '0'])
})
