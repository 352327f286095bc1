import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { connectTopics, createSchemaRegistry, type OrderCreated, toRecord } from '@orderly/contracts'
import { orderCreated } from '@orderly/contracts/testing'
import { createProducer, createTopics, deadLetterHeaders, deadLetterTopic, type OutputRecord } from '@orderly/kafka'
import { readCommitted } from '@orderly/kafka/testing'
import { createMissingTopics } from '@orderly/launcher'
import { integrationEnvironment, startBroker, startService } from '@orderly/launcher/testing'
import { createPool } from '@orderly/postgres'
import { newTraceparent, parseTraceparent } from '@orderly/service-kit'
import { askTool, runTool } from './testing/run-tool.ts'

/** Starts the inventory as in production. The notification service starts on request. */
async function setUp(t: TestContext) {
  const { registryURL, databaseURL } = integrationEnvironment()
  const [broker, url] = await Promise.all([startBroker(t), databaseURL()])
  const connection = { brokers: broker.brokers, clientID: 'tool-test' }
  await createMissingTopics(connection, { partitions: 4, replicationFactor: 1 })
  await createTopics(connection, [{ name: deadLetterTopic('notifications'), partitions: 4, replicationFactor: 1 }])
  const topics = await connectTopics(createSchemaRegistry({ url: registryURL }))
  const environment = {
    KAFKA_BROKERS: broker.brokers.join(','),
    SCHEMA_REGISTRY_URL: registryURL,
    DATABASE_URL: url,
    INSTANCE_ID: 'one'
  }
  const inventory = await startService(t, 'inventory', environment)
  const producer = await createProducer(connection)
  t.after(() => producer.close())
  const pool = createPool({ url, maxConnections: 2, applicationName: 'tool-test', statementTimeoutMs: 10_000 })
  t.after(() => pool.end())
  const send = (...records: OutputRecord[]) => producer.send(records)
  return {
    connection,
    inventory,
    pool,
    send,
    place: (order: OrderCreated, traceparent = newTraceparent()) =>
      send(toRecord(topics.ordersCreated, order, traceparent)),
    environment: { ...environment, INVENTORY_URL: inventory.url },
    startNotification: () => startService(t, 'notification', { ...environment, NOTIFICATION_SINKS: 'console' }),
    outcomes: (topic: string, count: number) => readCommitted(connection, topic, records => records.length >= count)
  }
}

interface Findings {
  readonly isHealthy: boolean
  readonly findings: readonly { readonly severity: string; readonly about: string; readonly what: string }[]
}

test('command line with real services', async t => {
  const { connection, inventory, pool, send, place, environment, startNotification, outcomes } = await setUp(t)
  const tool = (...args: string[]) => runTool(environment, ...args)
  const ask = <Answer>(...args: string[]) => askTool<Answer>(environment, ...args)
  const wrong = orderCreated({ userID: 'ada', items: [{ sku: 'MUG', quantity: -5 }] })
  const behind = orderCreated({ userID: 'ada', items: [{ sku: 'MUG', quantity: 2 }] })
  const traceparent = newTraceparent()

  await t.test('stock is imported from a CSV file, adjusted once, and exported to a CSV file', async t => {
    const directory = await mkdtemp(join(tmpdir(), 'tool-'))
    t.after(() => rm(directory, { recursive: true }))
    const [given, taken] = [join(directory, 'in.csv'), join(directory, 'out.csv')]
    await writeFile(given, 'sku,available\n"A ""quoted"", one",7\nMUG,9\n')
    assert.match((await tool('stock', 'import', given, '--by', 'ada', '--reason', 'opening')).stdout, /2 SKUs set/)
    for (const _ of ['first', 'again']) {
      assert.equal(
        (await ask<{ available: number }>('stock', 'adjust', 'MUG', '--add', '1', '--key', 'k')).available,
        10
      )
    }
    const tooMuch = await tool('stock', 'adjust', 'MUG', '--remove', '11')
    assert.equal(tooMuch.code, 1)
    assert.match(tooMuch.stderr, /Only 10 pieces are available/)
    assert.match((await tool('stock', 'show', 'NOPE')).stderr, /SKU does not exist: npm run orderly -- stock set/)
    const neither = await tool('stock', 'set', 'MUG')
    assert.deepEqual([neither.code, /one of --on-hand 500/.test(neither.stderr)], [64, true])
    assert.match((await tool('stock', 'export', '--on-hand')).stdout, /^sku,onHand\n[\s\S]*MUG,10$/m)
    const tooMany = await tool('stock', 'set', 'MUG', '--on-hand', '99999999999999')
    assert.deepEqual([tooMany.code, /from 0 to 1000000000000\./.test(tooMany.stderr)], [64, true])
    assert.match((await tool('stock', 'export', taken)).stdout, /Written to/)
    assert.equal(await readFile(taken, 'utf8'), 'sku,available\n"A ""quoted"", one",7\nMUG,10\n')
    await writeFile(given, 'sku,available\nMUG,1\nTEA,some\n')
    assert.match((await tool('stock', 'import', given)).stderr, /in\.csv:3: /)
    const shown = await tool('stock', 'show', 'MUG')
    assert.match(shown.stdout, /adjust +\+1 +10/)
    assert.match(shown.stdout, /set +\+9 +9 +ada +opening/)
  })

  await t.test(
    'an order that can never be processed is found, shown and dropped, and later records of its key are processed',
    async () => {
      await place(wrong)
      await place(behind, traceparent)
      await readCommitted(connection, deadLetterTopic('orders.created'), records => records.length === 2)
      const listed = await tool('dlq', 'list', '--user', 'ada')
      assert.match(listed.stdout, /ORDER_INVALID[\s\S]*KEY_BLOCKED[\s\S]*2 dead letters of 1 key/)
      const [shown] = await ask<{ value: { orderID: string }; reason: string }[]>(
        'dlq',
        'show',
        '--code',
        'ORDER_INVALID'
      )
      assert.equal(shown?.value.orderID, wrong.orderID)
      const doctor = await ask<Findings>('doctor')
      assert.ok(doctor.findings.some(({ about, what }) => about === 'orders.created.dlq' && /ORDER_INVALID/.test(what)))
      const stuck = await tool('doctor', behind.orderID)
      assert.match(stuck.stdout, /^PROBLEM {2}order \S+: one of its records is a dead letter .*KEY_BLOCKED.*--key ada/)

      const replayed = await tool('dlq', 'replay', '--user', 'ada', '--reason', 'in vain')
      assert.equal(replayed.code, 1)
      assert.match(replayed.stdout, /2 dead letters replayed[\s\S]*1 key still blocked/)
      const dropped = await tool('dlq', 'drop', '--code', 'ORDER_INVALID', '--by', 'bob', '--reason', 'a test order')
      assert.equal(dropped.code, 0, dropped.stdout + dropped.stderr)
      assert.match(dropped.stdout, /1 dead letter replayed, 1 dropped[\s\S]*1 key released/)
      await place(orderCreated({ userID: 'ada', items: [{ sku: 'MUG', quantity: 1 }] }))
      const reserved = await outcomes('inventory.reserved', 2)
      assert.equal(parseTraceparent(reserved[0]?.headers.traceparent)?.traceID, parseTraceparent(traceparent)?.traceID)
      assert.deepEqual(await ask('stock', 'show'), [
        { sku: 'A "quoted", one', available: 7, reserved: 0, onHand: 7 },
        { sku: 'MUG', available: 7, reserved: 3, onHand: 10 }
      ])
      const below = await tool('stock', 'set', 'MUG', '--on-hand', '2')
      assert.deepEqual([below.code, /MUG \(3 reserved\)/.test(below.stderr)], [1, true])
      assert.equal((await ask<{ available: number }>('stock', 'set', 'MUG', '--on-hand', '10')).available, 7)
      const log = await tool('dlq', 'log')
      assert.match(
        log.stdout,
        /replay +\S+ +orders\.created\.dlq +2 +0[\s\S]*drop +bob +orders\.created\.dlq +1 +1 .*a test order/
      )
    }
  )

  await t.test('the timeline of an order is read from topics and tables', async () => {
    const timeline = await ask<{ userID: string; traceID: string; events: { what: string }[] }>(
      'orders',
      'show',
      behind.orderID
    )
    assert.deepEqual([timeline.userID, timeline.traceID], ['ada', parseTraceparent(traceparent)?.traceID])
    const whats = timeline.events.map(({ what }) => what)
    for (const what of ['OrderCreated', 'decided: reserved', 'InventoryReserved']) assert.ok(whats.includes(what), what)
    assert.match((await tool('orders', 'show', randomUUID())).stderr, /^Order \S+ is unknown/)
  })

  await t.test('an exhausted notification is sent once by a replay', async () => {
    const notification = await startNotification()
    const status = async () =>
      (await pool.query('SELECT event_id, status FROM notification.deliveries ORDER BY sequence LIMIT 1')).rows[0]
    while ((await status())?.status !== 'sent');
    const { event_id } = await status()
    await pool.query("UPDATE notification.deliveries SET status = 'exhausted', code = 'GONE' WHERE event_id = $1", [
      event_id
    ])
    await send({
      topic: deadLetterTopic('notifications'),
      key: 'ada',
      value: Buffer.from('{}'),
      headers: deadLetterHeaders(
        { 'event-id': event_id, 'notification-target': 'console' },
        { stage: 'notification-delivery', code: 'GONE', reason: 'the recipient is gone' }
      )
    })
    const replayed = await tool('dlq', 'replay', '--topic', 'notifications')
    assert.equal(replayed.code, 0, replayed.stdout + replayed.stderr)
    assert.match(replayed.stdout, /1 dead letter replayed/)
    while ((await status())?.status !== 'sent');
    assert.match((await tool('dlq', 'replay', '--topic', 'notifications')).stdout, /nothing was done/)
    await notification.stop()
  })

  await t.test('the doctor reports a group without members, and lag and topics agree', async () => {
    await inventory.stop()
    const waiting = orderCreated({ userID: 'bob', items: [{ sku: 'MUG', quantity: 1 }] })
    await place(waiting)
    const { isHealthy, findings } = await ask<Findings>('doctor')
    assert.equal(isHealthy, false)
    const found = findings.find(({ about }) => about === 'group orders-created')
    assert.match(found?.what ?? '', /has no members, and 1 pending record/)
    assert.match((await tool('doctor', waiting.orderID)).stdout, /^PROBLEM .*group orders-created/m)
    assert.match(
      (await tool('doctor', waiting.orderID)).stdout,
      /order \S+: has been pending in orders\.created\/\d at \d+ /
    )
    const lag = await tool('lag', 'orders-created')
    assert.match(lag.stdout, /orders-created: Empty, 0 members, lag of 1 record/)
    const topics = await tool('topics')
    assert.match(topics.stdout, /orders\.created\.dlq +4 +1 +\d+ +delete +for ever +ok/)
    assert.equal((await tool('topics', 'orders.created')).code, 0)
  })
})
