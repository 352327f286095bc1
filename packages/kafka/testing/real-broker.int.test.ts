import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { integrationEnvironment } from '@orderly/stack/testing'
import { createTopics } from '../cluster/admin.ts'
import { createProducer } from '../producer/producer.ts'
import { deadLetterTopic } from '../stage/dead-letters.ts'
import { runStage } from '../stage/run-stage.ts'
import type { Stage, StageOptions } from '../stage/stage.ts'
import { testBrokerContract } from './broker-contract.ts'
import { readCommitted } from './read-committed.ts'

testBrokerContract('Kafka, exactly once', async () => brokerUnderTest('exactly-once'))
testBrokerContract('Kafka, at least once', async () => brokerUnderTest('at-least-once'))

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

function brokerUnderTest(delivery: 'exactly-once' | 'at-least-once') {
  const connection = { brokers: integrationEnvironment().kafkaBrokers, clientID: 'integration-test' }
  const transactionalID = `contract-${randomUUID()}`
  return {
    createTopics: (names: readonly string[]) =>
      createTopics(
        connection,
        names.map(name => ({ name, partitions: 4, replicationFactor: 1 }))
      ),
    producer: () => createProducer(connection),
    runStage: <Event>(stage: Stage<Event>, options: Pick<StageOptions, 'isTransient' | 'logger'>) =>
      runStage(stage, { ...options, connection, delivery, transactionalID }),
    read: (topic: string, count: number) => readCommitted(connection, topic, records => records.length >= count)
  }
}

test('an output that is too large for the broker is traced to its input, which is parked, and the others go on', async t => {
  const broker = brokerUnderTest('exactly-once')
  const [input, output] = [`in-${randomUUID()}`, `out-${randomUUID()}`]
  await broker.createTopics([input, output, deadLetterTopic(input)])
  const producer = await broker.producer()
  t.after(() => producer.close())
  const names = Array.from({ length: 40 }, (_, index) => (index === 17 ? 'huge' : `small ${index}`))
  await producer.send(
    names.map((name, index) => ({ topic: input, key: `key ${index}`, value: Buffer.from(name), headers: {} }))
  )
  const codec = {
    prepare: async () => {},
    decode: (value: Buffer) => value.toString(),
    encode: (text: string) => Buffer.from(text)
  }
  const stage = broker.runStage(
    {
      name: 'inflating',
      group: `group-${input}`,
      inputs: [{ name: input, eventType: 'Text', codec }],
      process: async records =>
        records.map(({ key, event }) => ({
          topic: output,
          key,
          value: event === 'huge' ? Buffer.alloc(2_000_000) : Buffer.from(event),
          headers: {}
        }))
    },
    { isTransient: () => false, logger: silent }
  )
  t.after(() => stage.stop())
  assert.equal((await broker.read(output, 39)).length, 39)
  const [parked] = await broker.read(deadLetterTopic(input), 1)
  assert.equal(parked?.value.toString(), 'huge')
  assert.equal(parked?.headers['dlq-code'], 'MESSAGE_TOO_LARGE')
})
