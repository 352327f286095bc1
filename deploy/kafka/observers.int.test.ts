import assert from 'node:assert/strict'
import { test } from 'node:test'
import { topicNames } from '@orderly/contracts'
import {
  checkConnection,
  createInspector,
  createProducer,
  createTopics,
  deadLetterTopic,
  grantAccess,
  growTopic,
  isDeadLetterTopic,
  type KafkaConnection,
  readRanges
} from '@orderly/kafka'
import { waitUntil } from '@orderly/launcher'
import { startBroker } from '@orderly/launcher/testing'
import { grants, provisionedTopics } from './principals.ts'

const password = (name: string) => `the-password-of-${name}`
const principals = ['monitor', 'operator', 'scaler', 'admin']

test('with only the granted rights, the monitor describes everything and reads nothing, and an operator may replay', async t => {
  const broker = await startBroker(t, {
    users: Object.fromEntries(principals.map(name => [name, password(name)])),
    denyByDefault: true
  })
  const { brokers, certificate } = broker.secure as NonNullable<typeof broker.secure>
  const as = (username: string): KafkaConnection => ({
    ...{ brokers, clientID: `observers-${username}`, tls: { ca: certificate } },
    sasl: { mechanism: 'SCRAM-SHA-512', username, password: password(username) }
  })
  const isOpen = () => checkConnection(as('admin')).then(() => true)
  await waitUntil(isOpen, { what: 'the TLS listener', deadlineMs: 60_000 })
  await grantAccess(as('admin'), grants)
  await createTopics(
    as('admin'),
    provisionedTopics.map(name => ({ name, partitions: 1, replicationFactor: 1 }))
  )
  const topic = topicNames.ordersCreated
  const timestampMs = Date.now() - 60_000
  const record = { topic, key: 'k', value: Buffer.from('v'), headers: {}, timestampMs }
  const partitions = [{ topic, partition: 0 }]
  const member = { memberID: 'm', instanceID: null, clientID: 'c', host: 'h', partitions }
  const producer = await createProducer(as('admin'))
  await producer.send([record, { ...record, topic: deadLetterTopic(topic) }])
  await producer.close()

  for (const name of ['monitor', 'operator']) {
    const inspector = createInspector(as(name))
    try {
      assert.equal((await inspector.quorum()).brokerIDs.length, 1, name)
      assert.ok((await inspector.topics()).length >= provisionedTopics.length, name)
      assert.ok((await inspector.topicConfigs([topic])).has(topic), name)
      assert.equal((await inspector.offsets([{ topic, partition: 0 }], 'end'))[0]?.offset, 1n, name)
      assert.equal((await inspector.brokerConfigs(['num.partitions'])).size, 1, name)
      await inspector.groups()
      await inspector.openTransactions()
      // The operator may read, and so describe producers (KIP-664).
      if (name === 'operator') await inspector.hangingTransactions(partitions, { afterMs: 1_000 })
      const group = { groupID: 'a-group', state: 'Empty', members: [member] }
      const [lag] = await inspector.lag(group)
      assert.deepEqual([lag?.lagRecords, lag?.waitingSinceMs], [1, timestampMs], name)
    } finally {
      await inspector.close()
    }
  }

  const readAs = async (name: string, topic: string) => {
    let count = 0
    await readRanges(as(name), [{ topic, partition: 0, from: 0n, to: 1n }], () => count++, AbortSignal.timeout(60_000))
    return count
  }
  for (const name of [topic, deadLetterTopic(topic)]) {
    await assert.rejects(readAs('monitor', name), /authorization/i)
    assert.equal(await readAs('operator', name), 1)
  }
  const readers = ['inventory', 'notification', 'aggregator']
  for (const name of provisionedTopics.filter(isDeadLetterTopic)) {
    const canRead = grants.filter(own => own.name === name && own.operations.includes('read'))
    const counting = readers.filter(reader => canRead.some(({ principal }) => principal === reader))
    const isWritten = grants.some(
      own => own.name === name && own.operations.includes('write') && own.principal !== 'operator'
    )
    assert.ok(counting.length > 0 || !isWritten, `a service can count ${name}`)
  }
  const sendAs = async (name: string) => {
    const own = await createProducer(as(name), { deliveryTimeoutMs: 2_000 })
    try {
      await own.send([record])
    } finally {
      await own.close()
    }
  }
  await sendAs('operator')
  await growTopic(as('operator'), topic, 2)
  await assert.rejects(growTopic(as('monitor'), topic, 3), /TOPIC_AUTHORIZATION_FAILED|authorization/i)
  for (const name of ['monitor', 'scaler']) await assert.rejects(sendAs(name), /authorization failed|not acknowledged/i)
})
