import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type BrokerUnderTest, testBrokerContract } from './broker-contract.ts'
import { createInMemoryBroker, type InMemoryBroker, type RecordedRecord } from './in-memory-broker.ts'
import { testStageControlContract } from './stage-control-contract.ts'

testBrokerContract('the in-memory broker', async () => connect())
testStageControlContract('the in-memory broker', async () => connect())

function connect(): BrokerUnderTest {
  const broker = createInMemoryBroker()
  return {
    createTopics: async (names, maxMessageBytes = {}) => {
      for (const name of names) {
        const bytes = maxMessageBytes[name]
        if (bytes !== undefined) broker.limitTopic(name, bytes)
      }
    },
    deleteRecords: async ({ topic, partition }, offset) => broker.deleteRecords(topic, partition, Number(offset)),
    growTopic: async (name, partitions) => broker.growTopic(name, partitions),
    producer: async () => broker.producer(),
    runStage: (stage, options) => broker.runStage(stage, options),
    read: (topic, count) => untilRecorded(broker, topic, count)
  }
}

test('a send with an injected failure writes nothing, and the next one succeeds', async () => {
  const broker = createInMemoryBroker()
  const producer = broker.producer()
  broker.failNextSend(new Error('away'))
  const record = { topic: 't', key: 'k', value: Buffer.from('v'), headers: {} }
  await assert.rejects(producer.send([record]), /away/)
  await producer.send([record])
  assert.equal(broker.records('t').length, 1)
})

async function untilRecorded(broker: InMemoryBroker, topic: string, count: number): Promise<RecordedRecord[]> {
  const deadlineMs = Date.now() + 5_000
  while (broker.records(topic).length < count) {
    assert.ok(Date.now() < deadlineMs, `${topic} has ${broker.records(topic).length} records, not ${count}`)
    await new Promise(resolve => setImmediate(resolve))
  }
  return broker.records(topic)
}
