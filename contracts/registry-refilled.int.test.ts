import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import type { OutputRecord } from '@orderly/kafka'
import { readCommitted } from '@orderly/kafka/testing'
import { startTestRegistry } from '@orderly/launcher/testing'
import { fingerprintHeader } from './avro/fingerprint.ts'
import { orderCreatedSchemas } from './generated/order-created.ts'
import { toRecord } from './records.ts'
import { createSchemaRegistry } from './registry/confluent.ts'
import { newestSchema } from './schema.ts'
import { inventoryReserved, orderCreated } from './testing/fixtures.ts'
import { startServicePipeline, until } from './testing/service-pipeline.ts'
import { connectTopics, type Topics, topicNames } from './topics.ts'

const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

/**
 * Registers all schemas in a different order than services do, after `shift` other schemas.
 * Services register concurrently, so ids differ between runs, and an id may be the same as before.
 */
async function refill(url: string, shift = 0): Promise<void> {
  for (let index = 0; index < shift; index++) {
    const name = `Other${index}`
    await createSchemaRegistry({ url }).register(`${name}-value`, {
      type: 'record',
      name,
      namespace: 'test',
      fields: []
    })
  }
  for (const name of (Object.keys(topicNames) as (keyof Topics)[]).toReversed()) {
    await connectTopics(createSchemaRegistry({ url }), { [name]: 'write' })
  }
}

function withoutFingerprint(record: OutputRecord): OutputRecord {
  const { [fingerprintHeader]: _, ...headers } = record.headers as Record<string, string>
  return { ...record, headers }
}

describe('a registry that was emptied and filled again with other ids', () => {
  test('pending records and records with former ids are processed, and their users are notified', async t => {
    const registry = await startTestRegistry(t)
    const pipeline = await startServicePipeline(t, registry.url)
    const { view, sku } = pipeline
    const topics = await connectTopics(createSchemaRegistry({ url: view.url }))
    const order = await pipeline.start('order', 'one')
    const consumers = [await pipeline.start('inventory', 'one'), await pipeline.start('notification', 'one')]
    const place = async (count: number) => {
      const orders = Array.from({ length: count }, async (_, index) => {
        const answer = await fetch(`${order.url}/orders`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ userID: `user-${index}`, items: [{ sku, quantity: 1 }], total: 1 })
        })
        assert.equal(answer.status, 202)
        return ((await answer.json()) as { orderID: string }).orderID
      })
      return Promise.all(orders)
    }
    const untilReported = (orderIDs: readonly string[]) =>
      until(async () => {
        const reported = await pipeline.reported()
        return orderIDs.every(orderID => reported.has(orderID))
      })
    await untilReported(await place(1))
    for (const consumer of consumers) assert.equal((await consumer.stop()).code, 0)
    const waiting = await place(20)
    // A record in an older version of its event.
    const old = await connectTopics(createSchemaRegistry({ url: view.url }), { inventoryReserved: 1 })
    const older = inventoryReserved()
    await pipeline.producer.send([toRecord(old.inventoryReserved, older, traceparent)])

    const formerID = topics.ordersCreated.codec.encode(orderCreated()).readInt32BE(1)
    for (let isSame = true, shift = 0; isSame; shift++) {
      await registry.empty()
      await refill(view.url, shift)
      const now = await createSchemaRegistry({ url: view.url, confirmUnknownMs: 1 }).schemaByID(formerID)
      isSame = now !== undefined && isDeepStrictEqual(JSON.parse(now.text), newestSchema(orderCreatedSchemas))
    }

    await pipeline.start('inventory', 'one')
    await pipeline.start('notification', 'one')
    await untilReported([...waiting, older.orderID])
    await untilReported(await place(20))
    assert.deepEqual(await pipeline.errors(), [])
    for (const topic of Object.values(topicNames)) assert.deepEqual(await pipeline.deadLetters(topic), [], topic)
  })

  test('a record without a fingerprint stops its reader, which logs the reason', async t => {
    const registry = await startTestRegistry(t)
    const pipeline = await startServicePipeline(t, registry.url)
    const { ordersCreated } = await connectTopics(createSchemaRegistry({ url: pipeline.view.url }), {
      ordersCreated: 'write'
    })
    const nameless = () =>
      withoutFingerprint(
        toRecord(ordersCreated, orderCreated({ items: [{ sku: pipeline.sku, quantity: 1 }] }), traceparent)
      )
    const inventory = await pipeline.start('inventory', 'one')
    await pipeline.producer.send([nameless()])
    await readCommitted(pipeline.connection, topicNames.inventoryReserved, records => records.length === 1)
    await registry.empty()
    await refill(pipeline.view.url)
    // The id is looked up again after several seconds.
    await until(async () => {
      await pipeline.producer.send([nameless()])
      return Promise.race([inventory.exit.then(() => true), delay(200, false)])
    })
    assert.notEqual((await inventory.exit).code, 0)
    const lines = (await inventory.logs()).filter(({ level }) => level === 'fatal' || level === 'error')
    assert.match(JSON.stringify(lines), /schema id \d+ led to the schema [0-9a-f]{16} and now leads to [0-9a-f]{16}/)
    assert.deepEqual(await pipeline.deadLetters(topicNames.ordersCreated), [])
  })
})
