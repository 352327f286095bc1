import assert from 'node:assert/strict'
import { randomBytes, randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { createProducer, createTopics, deadLetterTopic, type KafkaConnection, runStage } from '@orderly/kafka'
import { deleteRecords, readCommitted, textCodec } from '@orderly/kafka/testing'
import { integrationEnvironment } from '@orderly/launcher/testing'
import { askTool, runTool } from '../testing/run-tool.ts'

const { kafkaBrokers } = integrationEnvironment()
const connection: KafkaConnection = { brokers: kafkaBrokers, clientID: 'integration-test' }
const environment = { KAFKA_BROKERS: kafkaBrokers.join(',') }
const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

interface Shown {
  readonly reduced?: { readonly why: string; readonly valueBytes: number }
  readonly original?: { readonly state: string }
}

test('dlq show reports whether the record of a reduced dead letter still exists, and dlq replay skips one whose record is gone', async t => {
  const input = `in-${randomUUID()}`
  const deadLetters = deadLetterTopic(input)
  const shape = { partitions: 1, replicationFactor: 1 }
  await createTopics(connection, [
    { name: input, ...shape },
    { name: deadLetters, ...shape, configs: { 'max.message.bytes': '2000' } }
  ])
  const stage = runStage(
    {
      name: 'broken',
      group: `group-${input}`,
      inputs: [{ name: input, eventType: 'Text', codec: textCodec }],
      process: async () => {
        throw Object.assign(new Error('not yet'), { code: 'BROKEN' })
      }
    },
    { connection, transactionalID: `stage-${input}`, isTransient: () => false, logger: silent }
  )
  t.after(() => stage.stop())
  const producer = await createProducer(connection)
  t.after(() => producer.close())
  await producer.send([{ topic: input, key: 'ada', value: randomBytes(4_000), headers: {} }])
  await readCommitted(connection, deadLetters, records => records.length === 1)

  const [shown] = await askTool<Shown[]>(environment, 'dlq', 'show', '--topic', input)
  assert.deepEqual(
    [shown?.reduced?.why, shown?.reduced?.valueBytes, shown?.original?.state],
    ['MESSAGE_TOO_LARGE', 4_000, 'present']
  )
  const present = await runTool(environment, 'dlq', 'show', '--topic', input)
  assert.match(present.stdout, /reduced {2}MESSAGE_TOO_LARGE.*4000 bytes.*\n.*the record is still at in-\S+ 0\/0/)
  assert.match((await runTool(environment, 'dlq', 'list', '--topic', input)).stdout, /pending, reduced/)

  await deleteRecords(connection, { topic: input, partition: 0 }, 1n)
  for (const options of [['--dry-run'], []]) {
    const { code, stdout } = await runTool(environment, 'dlq', 'replay', '--topic', input, ...options)
    assert.match(stdout, /1 key unchanged: .*\n.*the record is no longer at in-\S+ 0\/0: it was removed/)
    assert.equal(code, options.length === 0 ? 1 : 0)
  }
  const dropped = await runTool(environment, 'dlq', 'drop', '--topic', input)
  assert.equal(dropped.code, 0, dropped.stdout)
})
