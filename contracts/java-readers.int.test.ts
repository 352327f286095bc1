import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createProducer, createTopics } from '@orderly/kafka'
import { integrationEnvironment, readAvroWithJava, startBroker } from '@orderly/launcher/testing'
import { orderCreatedSchemas } from './generated/order-created.ts'
import { toRecord } from './records.ts'
import { createSchemaRegistry } from './registry/confluent.ts'
import { fieldsIn, inventoryFailed, orderCreated } from './testing/fixtures.ts'
import { connectTopics, topicNames } from './topics.ts'

const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

test('Java reads a topic of mixed versions through the registry, each record with the fields of its version', async t => {
  const { registryURL } = integrationEnvironment()
  const { brokers } = await startBroker(t)
  const connection = { brokers, clientID: 'java-readers-test' }
  const names = [topicNames.ordersCreated, topicNames.inventoryFailed]
  await createTopics(
    connection,
    names.map(name => ({ name, partitions: 1, replicationFactor: 1 }))
  )
  const producer = await createProducer(connection)
  t.after(() => producer.close())
  const registry = createSchemaRegistry({ url: registryURL })
  const old = await connectTopics(registry, { ordersCreated: 1 })
  const current = await connectTopics(registry, { ordersCreated: 'write', inventoryFailed: 'write' })
  const order = orderCreated({ userID: 'ädå 😀', currency: 'JPY', totalMinor: 9_007_199_254_740_990 })
  const failed = inventoryFailed()
  await producer.send([
    toRecord(old.ordersCreated, order, traceparent),
    toRecord(current.ordersCreated, order, traceparent),
    toRecord(current.inventoryFailed, failed, traceparent)
  ])

  const [broker] = brokers as [string]
  const orders = await readAvroWithJava(broker, topicNames.ordersCreated, registryURL, 2)
  assert.deepEqual(orders.map(asEvent), [fieldsIn(orderCreatedSchemas.versions[1], order), order])
  const failures = await readAvroWithJava(broker, topicNames.inventoryFailed, registryURL, 1)
  assert.deepEqual(failures.map(asEvent), [failed])
})

/** Parses a record that Java printed as JSON, in which times are ISO texts. */
function asEvent(printed: string): unknown {
  return JSON.parse(printed, (name, value) => (name.endsWith('AtMs') ? new Date(value).getTime() : value))
}
