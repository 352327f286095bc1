import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { connectTopics, createSchemaRegistry, topicConfig, toRecord } from '@orderly/contracts'
import { orderCreated } from '@orderly/contracts/testing'
import {
  configureTopic,
  createProducer,
  createTopics,
  deadLetterHeaders,
  deadLetterTopic,
  type KafkaConnection,
  type OutputRecord,
  runStage
} from '@orderly/kafka'
import { deleteRecords, readCommitted, ScriptedProducer, textCodec } from '@orderly/kafka/testing'
import { createMissingTopics, waitUntil } from '@orderly/launcher'
import { integrationEnvironment, runKafkaTool, startBroker, startService } from '@orderly/launcher/testing'
import { newTraceparent } from '@orderly/service-kit'
import { askTool, runTool } from '../testing/run-tool.ts'
import type { Finding } from './finding.ts'

const { registryURL, databaseURL, asSuperuser } = integrationEnvironment()
const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
const headers = { traceparent: newTraceparent() }

/**
 * Faults of the broker. A transaction that is past its timeout stays open, and a write that its
 * coordinator does not know is accepted, as before Kafka 4.
 */
const faults: Record<string, string | number> = {
  'offsets.retention.minutes': 60,
  'producer.id.expiration.ms': 3_600_000,
  'transaction.abort.timed.out.transaction.cleanup.interval.ms': 3_600_000,
  'transaction.partition.verification.enable': 'false'
}

async function setUp(t: TestContext) {
  const settings = { ...faults }
  const [broker, url] = await Promise.all([startBroker(t, { settings }), databaseURL()])
  const connection = { brokers: broker.brokers, clientID: 'remedies-test' }
  const environment = {
    ...{ KAFKA_BROKERS: broker.brokers.join(','), SCHEMA_REGISTRY_URL: registryURL },
    ...{ DATABASE_URL: url, INSTANCE_ID: 'one' }
  }
  const producer = await createProducer(connection)
  t.after(() => producer.close())
  const tool = async (...args: readonly string[]) => {
    const { code, stdout, stderr } = await runTool(environment, ...args)
    assert.equal(code, 0, `${args.join(' ')}:\n${stdout}${stderr}`)
  }
  return {
    ...{ broker, settings, connection, environment, tool, url },
    send: (...records: OutputRecord[]) => producer.send(records),
    /** Returns the findings, except those about settings of the test's Postgres. */
    async diagnose(...args: readonly string[]) {
      const asked = ['doctor', '--transaction', '0', '--waiting', '0', ...args]
      const { findings } = await askTool<{ findings: Finding[] }>(environment, ...asked)
      return findings.filter(({ about }) => about !== 'postgres')
    },
    /** Runs the command of a finding's advice that matches. */
    follow({ todo }: Finding, command: RegExp) {
      const advised = command.exec(todo)
      assert.ok(advised, `${command} is not advised: ${todo}`)
      assert.match(todo.slice(0, advised.index), /npm run orderly -- $/)
      return tool(...advised[0].split(' '))
    }
  }
}

const topicOf = (name: string) => ({ name, partitions: 1, replicationFactor: 1, configs: topicConfig(name) })

/** Creates a topic with a stage that fails until it is repaired. */
async function createStage(t: TestContext, connection: KafkaConnection, topic: string) {
  await createTopics(connection, [topic, deadLetterTopic(topic)].map(topicOf))
  let isRepaired = false
  let processed = 0
  const start = async () => {
    const stage = runStage(
      {
        name: `stage-${topic}`,
        group: `group-${topic}`,
        inputs: [{ name: topic, eventType: 'Text', codec: textCodec }],
        process: async records => {
          if (!isRepaired && records.length > 0) throw Object.assign(new Error('not yet'), { code: 'BROKEN' })
          processed += records.length
          return []
        }
      },
      { connection, transactionalID: `stage-${topic}`, isTransient: () => false, logger: silent }
    )
    t.after(() => stage.stop())
    await waitUntil(() => stage.isReady(), { what: 'the stage', deadlineMs: 60_000 })
    return stage
  }
  return {
    start,
    processed: () => processed,
    repair: () => {
      isRepaired = true
    }
  }
}

/** Starts a receiver of webhooks that answers with a status. */
async function startReceiver(t: TestContext) {
  const answer = { status: 410 }
  const server = createServer((_, response) => response.writeHead(answer.status).end())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.after(() => server.close())
  return { answer, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` }
}

/** Runs a part of the test. A failure names it and ends the test. */
const step = (name: string, run: () => Promise<void>) =>
  run().catch(error => {
    throw new Error(`failed: ${name}`, { cause: error })
  })

const find = (findings: readonly Finding[], about: string, what: RegExp): Finding => {
  const found = findings.find(own => own.about === about && what.test(own.what))
  assert.ok(found, `${about}: ${what} is not in ${JSON.stringify(findings, null, 1)}`)
  return found
}

test('every finding goes away once its advice is followed', { timeout: 600_000 }, async t => {
  const { broker, settings, connection, environment, tool, url, send, diagnose, follow } = await setUp(t)
  const overdue = await new ScriptedProducer(connection, 'overdue', { timeoutMs: 1_000 }).init()
  t.after(() => overdue.close())
  const hung = () => new ScriptedProducer(connection, 'hung', { timeoutMs: 600_000 }).init()

  await step('missing topics', async () => {
    const found = await diagnose()
    assert.ok(found.filter(({ what }) => what === 'is missing').length > 10)
    await createMissingTopics(connection, { partitions: 1, replicationFactor: 1 })
    const what = (await diagnose()).map(own => own.what)
    assert.ok(!what.includes('is missing'), what.join())
  })

  const broken = await createStage(t, connection, 'broken')
  const skipping = await createStage(t, connection, 'skipping')
  await createTopics(connection, ['overdue', 'forgotten', 'hung', 'audit.dlq'].map(topicOf))
  await overdue.write('overdue', 0, ['a'])
  const hanging = await hung()
  t.after(() => hanging.close())
  await hanging.write('hung', 0, ['a'])
  const startedAtMs = Date.now()
  const [goneReceiver, failingReceiver] = [await startReceiver(t), await startReceiver(t)]
  const secret = `whsec_${randomBytes(32).toString('base64')}`
  failingReceiver.answer.status = 500
  const topics = await connectTopics(createSchemaRegistry({ url: registryURL }))
  const order = (userID: string, quantity: number) => orderCreated({ userID, items: [{ sku: 'MUG', quantity }] })
  const place = (placed: ReturnType<typeof order>) => send(toRecord(topics.ordersCreated, placed, newTraceparent()))
  const startInventory = () => startService(t, 'inventory', environment)
  const [reserved, late] = [order('bob', 1), order('cyd', 1)]

  await step('the pipeline gets its faults', async () => {
    const inventory = await startInventory()
    await runTool({ ...environment, INVENTORY_URL: inventory.url }, 'stock', 'set', 'MUG', '--on-hand', '100')
    for (const placed of [order('ada', -5), order('ada', 1), reserved]) await place(placed)
    await readCommitted(connection, 'orders.created.dlq', records => records.length === 2)
    await readCommitted(connection, 'inventory.reserved', records => records.length === 1)
    await inventory.stop()
    await place(late)
    const hourAgo = "now() - interval '1 hour'"
    await asSuperuser(url, `UPDATE inventory.stock_movements SET published = false, moved_at = ${hourAgo}`)
    const kinds = [
      'offsets_skipped',
      'topic_recreated',
      'log_truncated',
      'offsets_missing',
      'database_behind',
      'partitions_added'
    ]
    for (const kind of kinds) {
      const row = `'orders-created', '${kind}', 'orders.created', 0, 1, 2`
      await asSuperuser(
        url,
        `INSERT INTO inventory.incidents (group_id, kind, topic, partition, from_offset, to_offset) VALUES (${row})`
      )
    }
    for (const [name, receiver] of Object.entries({ erp: goneReceiver, shop: failingReceiver }))
      await tool('endpoints', 'add', name, '--url', receiver.url)
    const notification = await startService(t, 'notification', {
      ...{ ...environment, NOTIFICATION_SINKS: 'console,webhook', WEBHOOK_ALLOWED_NETWORKS: '127.0.0.1/32' },
      ...{ WEBHOOK_URLS: `former=${goneReceiver.url}`, WEBHOOK_SECRETS: `former=${secret}` }
    })
    const states = async () =>
      (await asSuperuser(url, 'SELECT target, status, attempts FROM notification.deliveries')).map(
        ({ target, status, attempts }) => `${target} ${attempts > 0 && status !== 'sent' ? 'failed' : status}`
      )
    const isAsExpected = async () => {
      const all = await states()
      const gone = await asSuperuser(url, 'SELECT FROM notification.targets WHERE disabled_at IS NOT NULL')
      return gone.length === 2 && all.includes('console sent') && all.includes('webhook:shop failed')
    }
    await waitUntil(isAsExpected, { what: 'one sent, one failed and two refused deliveries', deadlineMs: 120_000 })
    await notification.stop()
    await asSuperuser(url, `UPDATE notification.deliveries SET accepted_at = ${hourAgo} WHERE target = 'webhook:shop'`)
    const [delivery] = await asSuperuser(
      url,
      "UPDATE notification.deliveries SET status = 'exhausted', code = 'GONE' WHERE target = 'console' RETURNING event_id"
    )
    await send({
      ...{ topic: deadLetterTopic('notifications'), key: 'bob', value: Buffer.from('{}') },
      headers: deadLetterHeaders(
        { 'event-id': delivery?.event_id, 'notification-target': 'console' },
        { stage: 'notification-delivery', code: 'GONE', reason: 'the recipient is gone' }
      )
    })
  })

  await step('topics, transactions and groups get their faults', async () => {
    const forgotten = await new ScriptedProducer(connection, 'forgotten').init()
    t.after(() => forgotten.close())
    forgotten.omitAdding('forgotten', 0)
    await forgotten.write('forgotten', 0, ['a'])
    skipping.repair()
    const stage = await skipping.start()
    const unread = { topic: 'skipping', key: 'a', value: Buffer.from('1'), headers }
    await send(unread)
    await waitUntil(() => skipping.processed() === 1, { what: 'the first record', deadlineMs: 60_000 })
    await stage.stop()
    const other = await broken.start()
    for (const value of ['1', '2']) await send({ topic: 'broken', key: 'a', value: Buffer.from(value), headers })
    await readCommitted(connection, deadLetterTopic('broken'), records => records.length === 2)
    await other.stop()
    await configureTopic(connection, 'skipping', { 'retention.ms': '3600000' })
    for (const ageMs of [2_400_000, 2_400_000]) await send({ ...unread, timestampMs: Date.now() - ageMs })
    await deleteRecords(connection, { topic: 'skipping', partition: 0 }, 2n)
    const copied = { topic: 'orders.created', partition: '0', offset: '1' }
    const copy = Object.fromEntries(Object.entries(copied).map(([name, text]) => [`__connect.errors.${name}`, text]))
    await send({ topic: 'audit.dlq', key: 'a', value: Buffer.from('1'), headers: copy })
  })

  const all = await diagnose()
  await step('findings with a command', async () => {
    await follow(find(all, 'orders.created.dlq', /2 pending dead letters/), /dlq show --topic \S+\w/)
    await follow(
      find(all, 'group group-skipping', /will be removed in/),
      /topics configure skipping --set retention.ms=-1/
    )
    await follow(find(all, 'audit.dlq', /1 pending/), /dlq drop --topic audit\S+\w/)
    for (const incident of all.filter(({ todo }) => todo.includes('; then npm run orderly -- positions')))
      await follow(incident, /positions acknowledge \S+$/)
    await follow(find(all, 'webhook:erp', /is disabled/), /endpoints remove erp$/)
    const { todo: restart } = find(all, 'transactions', /^the transaction of hung has been open/)
    assert.match(restart, /^restart that instance if it hangs/)
    await hung().then(restarted => restarted.close())
    const { todo } = find(all, 'transactions', /no coordinator knows it/)
    for (const [, args = ''] of todo.matchAll(/kafka-transactions\.sh ([^;]+)/g))
      await runKafkaTool('org.apache.kafka.tools.TransactionsCommand', args.split(' '))
  })
  await step('findings about services', async () => {
    find(all, 'group orders-created', /no members, and 1 pending record/)
    find(all, 'inventory.stock.movements', /not published/)
    find(all, 'webhook:shop', /has accepted nothing/)
    find(all, 'notifications', /1 delivery exhausted/)
    find(all, 'group group-skipping', /were removed before they were read/)
    find(await diagnose(late.orderID), `order ${late.orderID}`, /has been pending in/)
    const exhausted = find(await diagnose(reserved.orderID), `order ${reserved.orderID}`, /console is exhausted/)
    failingReceiver.answer.status = 200
    await follow(exhausted, /dlq replay --topic notifications --\w+ \S+$/)
    await Promise.all([startInventory(), skipping.start()])
    assert.match(find(all, 'webhook:former', /is disabled/).todo, /removed there disappears here after 5 minutes$/)
    await startService(t, 'notification', { ...environment, WEBHOOK_ALLOWED_NETWORKS: '127.0.0.1/32' })
    await asSuperuser(
      url,
      "UPDATE notification.targets SET seen_at = seen_at - interval '5 minutes' WHERE target = 'webhook:former'"
    )
    await follow(find(all, 'orders.created.dlq', /2 pending dead letters/), /dlq drop --topic \S+$/)
  })
  await step('an interrupted replay, and one without an answer', async () => {
    const letter = () => diagnose().then(found => found.filter(({ about }) => about === 'broken.dlq'))
    const killing = { ...environment, KILL_AT: 'after-commit:1' }
    assert.equal((await runTool(killing, 'dlq', 'replay', '--topic', 'broken', '--rate', '1')).code, 'SIGKILL')
    broken.repair()
    const { todo } = find(await letter(), 'broken.dlq', /a replay was interrupted/)
    assert.match(todo, /dlq replay --topic broken\S*$/)
    await runTool(environment, 'dlq', 'replay', '--topic', 'broken', '--wait', '0')
    find(await letter(), 'broken.dlq', /1 key replayed, and the stage has not answered/)
    await broken.start()
  })
  await step('faults of the broker', async () => {
    find(all, 'kafka', /offsets\.retention\.minutes is 60/)
    find(all, 'kafka', /producer\.id\.expiration\.ms is 3600000/)
    await waitUntil(() => Date.now() > startedAtMs + 20_000, { what: 'the timeout', deadlineMs: 60_000 })
    find(await diagnose(), 'transactions', /^the transaction of overdue has been open/)
    for (const name of Object.keys(settings)) delete settings[name]
    await broker.stop()
    assert.match(find(await diagnose(), 'kafka', /does not answer/).todo, /^start the brokers/)
    await broker.start()
  })
  await step('nothing is left', async () => {
    let left: Finding[] = []
    const isHealthy = async () => {
      left = await diagnose()
      return left.length === 0
    }
    await waitUntil(isHealthy, { what: 'no finding', deadlineMs: 120_000 }).catch(() => assert.deepEqual(left, []))
  })
})
