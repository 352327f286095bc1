import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { connectTopics, createSchemaRegistry, toRecord } from '@orderly/contracts'
import { inventoryFailed, orderCreated } from '@orderly/contracts/testing'
import { createProducer } from '@orderly/kafka'
import { readCommitted } from '@orderly/kafka/testing'
import { integrationEnvironment, startBroker } from '@orderly/launcher/testing'
import { MongoClient } from 'mongodb'
import { restartConnector } from '../../deploy/connect/connector.ts'
import { freePort } from '../processes/ports.ts'
import { waitUntil } from '../processes/wait.ts'
import { javaWith } from '../servers.ts'
import { createMissingTopics } from '../stack.ts'
import { startMongoDBOrSkip } from '../testing/mongodb.ts'
import { superviseRun } from '../testing/supervised-run.ts'
import { startConnect } from './connect.ts'
import { connectJarSets } from './jars.ts'

const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

test('audit-mongodb stores every event once, as a document with its key and headers', async t => {
  const { registryURL, databaseURL } = integrationEnvironment()
  const { directories, supervisor } = superviseRun(t, 'test')
  const mongodbURI = await startMongoDBOrSkip(t, supervisor, join(directories.data, 'mongodb'))
  if (mongodbURI === undefined) return
  const broker = await startBroker(t)
  const connection = { brokers: broker.brokers, clientID: 'audit-mongodb-test' }
  await createMissingTopics(connection, { partitions: 4, replicationFactor: 1 })
  const connect = await startConnect({
    ...{ supervisor, java: await javaWith(connectJarSets, supervisor, () => {}) },
    ...{ dataDirectory: directories.data, port: await freePort(), connection, registryURL, mongodbURI },
    ...{ databaseURL: await databaseURL(), connector: 'audit-mongodb' }
  })
  const client = new MongoClient(mongodbURI)
  t.after(() => client.close())
  const collection = client.db('audit').collection('orders.created')
  const untilDocuments = async (count: number) => {
    const isThere = async () => (await collection.countDocuments()) === count
    await waitUntil(isThere, { what: `${count} documents`, deadlineMs: 60_000 })
    return collection.find().toArray()
  }
  const producer = await createProducer(connection)
  t.after(() => producer.close())
  const topics = await connectTopics(createSchemaRegistry({ url: registryURL }))
  const order = orderCreated({ createdAtMs: Date.UTC(2026, 0, 2) })
  const record = toRecord(topics.ordersCreated, order, traceparent, { caller: 'berlin' })

  await producer.send([record])
  const [document] = await untilDocuments(1)
  const { recordTimestamp, recordPartition, recordOffset, ...rest } = document as Record<string, unknown>
  assert.ok(recordTimestamp instanceof Date)
  assert.deepEqual([Number(recordOffset), rest._id], [0, `orders.created#1#${recordPartition}#0`])
  const event = rest.event as Record<string, unknown>
  assert.deepEqual(
    { ...rest, event: { ...event, totalMinor: Number(event.totalMinor) } },
    {
      ...{
        _id: rest._id,
        recordTopic: 'orders.created',
        recordGeneration: 1,
        recordKey: `berlin\u001f${order.userID}`
      },
      ...{ eventID: `OrderCreated-${order.orderID}`, caller: 'berlin', traceparent },
      event: { ...order, createdAtMs: new Date(order.createdAtMs) }
    }
  )

  await t.test(
    'a record of another event goes to audit-mongodb.dlq, and lost documents are written again',
    async () => {
      const failed = toRecord(topics.inventoryFailed, inventoryFailed(), traceparent)
      await producer.send([{ ...failed, topic: record.topic }, record])
      await untilDocuments(2)
      const deadLettered = await readCommitted(connection, 'audit-mongodb.dlq', records => records.length === 1)
      assert.match(deadLettered[0]?.headers['__connect.errors.exception.message'] ?? '', /InventoryFailed/)
      await collection.deleteMany({ recordOffset: { $gt: 0 } })
      await restartConnector(connect.workerURL, 'audit-mongodb')
      await untilDocuments(2)
    }
  )
})
