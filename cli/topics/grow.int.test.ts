import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { acceptanceTopic, topicNames } from '@orderly/contracts'
import { createInspector, createProducer, runStage } from '@orderly/kafka'
import { readCommitted, textCodec } from '@orderly/kafka/testing'
import { createMissingTopics } from '@orderly/launcher'
import { integrationEnvironment, startBroker, startService } from '@orderly/launcher/testing'
import { runTool } from '../testing/run-tool.ts'

const sku = 'TEA-EARL-GREY-100G'
const users = Array.from({ length: 12 }, (_, index) => `user-${index}`)

/**
 * Starts two order services and the inventory. Metadata expires quickly, so that the pause is
 * short.
 */
async function setUp(t: TestContext) {
  const { registryURL, databaseURL } = integrationEnvironment()
  const [broker, url] = await Promise.all([startBroker(t), databaseURL()])
  const connection = { brokers: broker.brokers, clientID: 'grow-test' }
  await createMissingTopics(connection, { partitions: 2, replicationFactor: 1 })
  const environment = {
    KAFKA_BROKERS: broker.brokers.join(','),
    SCHEMA_REGISTRY_URL: registryURL,
    DATABASE_URL: url,
    KAFKA_METADATA_MAX_AGE_MS: '1000'
  }
  const directory = await mkdtemp(join(tmpdir(), 'grow-'))
  t.after(() => rm(directory, { recursive: true }))
  const seed = join(directory, 'stock.csv')
  await writeFile(seed, `sku,available\n${sku},1000000\n`)
  const [first, second] = await Promise.all([
    startService(t, 'order', { ...environment, INSTANCE_ID: '1' }),
    startService(t, 'order', { ...environment, INSTANCE_ID: '2' }),
    startService(t, 'inventory', { ...environment, SEED_STOCK_FILE: seed })
  ])
  return { connection, environment, orderURLs: [first.url, second.url] }
}

test('a topic grows under load: orders are refused during the pause, and the outcomes of each user keep their order', async t => {
  const { connection, environment, orderURLs } = await setUp(t)
  const placed = new Map<string, string[]>(users.map(user => [user, []]))
  const refusals: (string | null)[] = []
  let isEnding = false
  const shop = async (user: string) => {
    for (let count = 0; !isEnding; count++) {
      const body = JSON.stringify({ userID: user, items: [{ sku, quantity: 1 }], total: 1 })
      const headers = { 'content-type': 'application/json' }
      const answer = await fetch(`${orderURLs[count % 2]}/orders`, { method: 'POST', headers, body })
      if (answer.status === 202) placed.get(user)?.push(((await answer.json()) as { orderID: string }).orderID)
      else {
        assert.equal(answer.status, 503)
        refusals.push(answer.headers.get('retry-after'))
        await answer.body?.cancel()
      }
      await delay(200)
    }
  }
  const shopping = Promise.all(users.map(shop))
  const grown = await runTool(
    environment,
    'topics',
    'grow',
    topicNames.ordersCreated,
    '--partitions',
    '6',
    '--quiet',
    '5'
  )
  assert.equal(grown.code, 0, grown.stdout + grown.stderr)
  assert.match(grown.stdout, /orders\.created has 6 partitions instead of 2/)
  const counts = () => users.map(user => placed.get(user)?.length ?? 0)
  const before = counts()
  while (counts().some((count, index) => count < (before[index] ?? 0) + 3)) await delay(50)
  isEnding = true
  await shopping
  assert.ok(refusals.length > 0 && refusals.every(seconds => /^\d+$/.test(seconds ?? '')), refusals.join())

  const total = [...placed.values()].flat().length
  const created = await readCommitted(connection, topicNames.ordersCreated, records => records.length >= total)
  assert.ok(created.some(({ partition }) => partition >= 2))
  const reserved = await readCommitted(connection, topicNames.inventoryReserved, all => all.length >= total)
  for (const [user, orderIDs] of placed) {
    const own = reserved
      .filter(({ key }) => key === user)
      .map(({ headers }) => headers['event-id']?.slice('InventoryReserved-'.length))
    assert.deepEqual(own, orderIDs, user)
  }
})

test('a topic that cannot be drained, or an invalid number of partitions, is refused before anything is paused', async t => {
  const { databaseURL, registryURL } = integrationEnvironment()
  const broker = await startBroker(t)
  const connection = { brokers: broker.brokers, clientID: 'grow-test' }
  await createMissingTopics(connection, { partitions: 2, replicationFactor: 1 })
  const environment = {
    KAFKA_BROKERS: broker.brokers.join(','),
    SCHEMA_REGISTRY_URL: registryURL,
    DATABASE_URL: await databaseURL()
  }
  const grow = (...args: string[]) => runTool(environment, 'topics', 'grow', ...args)
  assert.match((await grow(topicNames.ordersCreated, '--partitions', '2')).stderr, /has 2 partitions: give/)
  assert.match((await grow('orders.created.dlq', '--partitions', '8')).stderr, /is not a topic of Orderly's events/)
  assert.equal((await grow(topicNames.ordersCreated, '--partitions', 'many')).code, 64)

  const producer = await createProducer(connection)
  t.after(() => producer.close())
  const topic = topicNames.ordersCreated
  const send = () => producer.send([{ topic, key: 'k', value: Buffer.from('v'), headers: {} }])
  await send()
  const processed = Promise.withResolvers<void>()
  const stage = runStage(
    {
      ...{ name: 'stopped', group: 'stopped', inputs: [{ name: topic, eventType: 'Text', codec: textCodec }] },
      process: async () => []
    },
    {
      ...{ connection, delivery: 'at-least-once' as const, isTransient: () => false },
      logger: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
      observer: { committed: () => processed.resolve() }
    }
  )
  await processed.promise
  await stage.stop()
  await send()
  assert.match((await grow(topic, '--partitions', '4')).stderr, /Group stopped has no members.*--except stopped/)
  const inspector = createInspector(connection)
  t.after(() => inspector.close())
  const ends = await inspector.offsets(
    [0, 1].map(partition => ({ topic: acceptanceTopic, partition })),
    'end'
  )
  assert.deepEqual(
    ends.map(end => end?.offset),
    [0n, 0n]
  )
})
