import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { createInspector } from '@orderly/kafka'
import { deleteRecords } from '@orderly/kafka/testing'
import { createMissingTopics, waitUntil } from '@orderly/launcher'
import { integrationEnvironment, killAtFailpoint, startBroker, startService } from '@orderly/launcher/testing'
import { askTool, runTool } from '../testing/run-tool.ts'
import type { Finding } from './finding.ts'

test('findings about an order go away once their advice is followed', { timeout: 600_000 }, async t => {
  const { registryURL, databaseURL, asSuperuser } = integrationEnvironment()
  const [broker, url] = await Promise.all([startBroker(t), databaseURL()])
  const connection = { brokers: broker.brokers, clientID: 'order-remedies-test' }
  const environment = {
    ...{ KAFKA_BROKERS: broker.brokers.join(','), SCHEMA_REGISTRY_URL: registryURL },
    ...{ DATABASE_URL: url, INSTANCE_ID: 'one' }
  }
  await createMissingTopics(connection, { partitions: 1, replicationFactor: 1 })
  const startInventory = () => startService(t, 'inventory', environment)
  let service = await startService(t, 'order', environment)
  const place = async (address: string, idempotencyKey: string) => {
    const response = await fetch(`${address}/orders`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': idempotencyKey },
      body: JSON.stringify({ userID: 'ada', items: [{ sku: 'MUG', quantity: 1 }], total: 5 })
    })
    const body = (await response.json()) as { orderID: string }
    assert.equal(response.status, 202, JSON.stringify(body))
    return body.orderID
  }
  const untilStatus = (orderID: string, status: string) => {
    const isThere = async () => {
      const order = (await (await fetch(`${service.url}/orders/${orderID}`)).json()) as { status?: string }
      return order.status === status
    }
    return waitUntil(isThere, { what: `the status ${status} of ${orderID}`, deadlineMs: 60_000 })
  }
  const diagnose = async (orderID: string) => {
    const { findings } = await askTool<{ findings: Finding[] }>(environment, 'doctor', orderID)
    return findings.filter(({ about }) => about === `order ${orderID}`)
  }
  let inventory = await startInventory()
  const stock = await runTool({ ...environment, INVENTORY_URL: inventory.url }, 'stock', 'set', 'MUG', '--on-hand', '9')
  assert.equal(stock.code, 0, stock.stderr)
  const decided = await place(service.url, randomUUID())
  await untilStatus(decided, 'reserved')

  await t.test('an unknown order: check the id', async () => {
    const [found] = await diagnose(randomUUID())
    assert.match(`${found?.what}: ${found?.todo}`, /^is unknown: check the id/)
    assert.deepEqual(await diagnose(decided), [])
  })

  await t.test('an order whose record was removed: place it again and acknowledge the incident', async () => {
    await inventory.stop()
    const lost = await place(service.url, randomUUID())
    await untilStatus(lost, 'accepted')
    const inspector = createInspector(connection)
    t.after(() => inspector.close())
    const partition = { topic: 'orders.created', partition: 0 }
    const [end] = await inspector.offsets([partition], 'end')
    assert.ok(end)
    await deleteRecords(connection, partition, end.offset)
    inventory = await startInventory()
    const incidents = () => asSuperuser(url, "SELECT FROM inventory.incidents WHERE kind = 'offsets_skipped'")
    await waitUntil(async () => (await incidents()).length > 0, { what: 'the incident', deadlineMs: 60_000 })
    const [found] = await diagnose(lost)
    assert.equal(found?.severity, 'problem')
    const [, acknowledge = ''] =
      /place it again, with a new Idempotency-Key, then npm run orderly -- (positions acknowledge \S+\d)/.exec(
        found?.todo ?? ''
      ) ?? []
    const again = await place(service.url, randomUUID())
    await untilStatus(again, 'reserved')
    const { code, stderr } = await runTool(environment, ...acknowledge.split(' '))
    assert.equal(code, 0, `${found?.todo}: ${stderr}`)
    assert.deepEqual(
      (await diagnose(lost)).map(({ severity }) => severity),
      ['hint']
    )
    assert.deepEqual(await diagnose(again), [])
  })

  await t.test('an outcome that shops do not see: start the order service', async () => {
    await inventory.stop()
    const unseen = await place(service.url, randomUUID())
    await untilStatus(unseen, 'accepted')
    await service.stop()
    inventory = await startInventory()
    const outcomes = () => asSuperuser(url, `SELECT FROM inventory.outcomes WHERE order_id = '${unseen}'`)
    await waitUntil(async () => (await outcomes()).length > 0, { what: 'the outcome', deadlineMs: 60_000 })
    const [found] = await diagnose(unseen)
    assert.equal(found?.what, 'is reserved, but shops do not see that yet')
    assert.match(found?.todo ?? '', /^start the order service \(npm run service -- order\)/)
    service = await startService(t, 'order', environment)
    await untilStatus(unseen, 'reserved')
    assert.deepEqual(await diagnose(unseen), [])
  })

  await t.test('an idempotency key without an order: repeat the request with the same key', async () => {
    const killing = { NODE_OPTIONS: `--import=${killAtFailpoint}`, KILL_AT: 'key-claimed:1' }
    const doomed = await startService(t, 'order', { ...environment, INSTANCE_ID: 'two', ...killing })
    const key = randomUUID()
    await assert.rejects(place(doomed.url, key))
    assert.equal((await doomed.exit).signal, 'SIGKILL')
    const [claimed] = await asSuperuser(url, `SELECT order_id FROM orders.idempotency_keys WHERE key LIKE '%${key}'`)
    const [found] = await diagnose(claimed?.order_id)
    assert.match(found?.what ?? '', /^has an idempotency key .* its request was not completed$/)
    assert.match(found?.todo ?? '', /repeat the request with the same key/)
    const placed = async () => {
      const orderID = await place(service.url, key).catch(() => undefined)
      return orderID === claimed?.order_id
    }
    // The key is claimed by the killed instance for a while.
    await waitUntil(placed, { what: 'the order of the key', deadlineMs: 60_000 })
    await untilStatus(claimed?.order_id, 'reserved')
    assert.deepEqual(await diagnose(claimed?.order_id), [])
  })
})
