import assert from 'node:assert/strict'
import { test } from 'node:test'
import { topicNames } from '@orderly/contracts'
import {
  checkConnection,
  createInspector,
  createProducer,
  createTopics,
  grantAccess,
  growTopic,
  type KafkaConnection
} from '@orderly/kafka'
import { waitUntil } from '@orderly/stack'
import { startBroker } from '@orderly/stack/testing'
import { grants, provisionedTopics } from './principals.ts'

const password = (name: string) => `the-password-of-${name}`
const principals = ['monitor', 'operator', 'scaler', 'admin']

test('with only the generated grants, the monitor reads everything and writes nothing, and an operator can replay and grow topics', async t => {
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
  const record = { topic, key: 'k', value: Buffer.from('v'), headers: {} }
  const producer = await createProducer(as('admin'))
  await producer.send([record])
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
      await inspector.hangingTransactions([{ topic, partition: 0 }], { afterMs: 1_000 })
    } finally {
      await inspector.close()
    }
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
