import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { connectTopics, createSchemaRegistry, type OrderCreated, topicNames, toRecord } from '@orderly/contracts'
import { orderChangeRequested, orderCreated } from '@orderly/contracts/testing'
import { createProducer, createTopicReader } from '@orderly/kafka'
import { deleteGroup, deleteRecords } from '@orderly/kafka/testing'
import { createMissingTopics } from '@orderly/launcher'
import { integrationEnvironment, runUntilKilled, startBroker, startService } from '@orderly/launcher/testing'
import { createPool } from '@orderly/postgres'
import { newTraceparent } from '@orderly/service-kit'
import { askTool, runTool } from '../testing/run-tool.ts'

const group = 'orders-created'

interface Listed {
  readonly partitions: readonly { topic: string; partition: number; state: string; stored?: number }[]
}

interface Resolved {
  readonly outputs: number
  readonly offsets: readonly { offset: string; stored: number; removedByRetention?: true }[]
}

async function setUp(t: TestContext) {
  const { registryURL, databaseURL } = integrationEnvironment()
  const [broker, url] = await Promise.all([startBroker(t), databaseURL()])
  const connection = { brokers: broker.brokers, clientID: 'positions-test' }
  await createMissingTopics(connection, { partitions: 2, replicationFactor: 1 })
  const topics = await connectTopics(createSchemaRegistry({ url: registryURL }))
  const environment = {
    ...{ KAFKA_BROKERS: broker.brokers.join(','), SCHEMA_REGISTRY_URL: registryURL },
    ...{ DATABASE_URL: url, INSTANCE_ID: 'one' }
  }
  const producer = await createProducer(connection)
  t.after(() => producer.close())
  const pool = createPool({ url, maxConnections: 2, applicationName: 'positions-test', statementTimeoutMs: 10_000 })
  t.after(() => pool.end())
  /** Event ids that are expected exactly once each. */
  const expected: RegExp[] = []

  async function place(count: number): Promise<OrderCreated[]> {
    const orders = Array.from({ length: count }, (_, index) =>
      orderCreated({ userID: `user-${index % 7}`, items: [{ sku: index % 3 === 0 ? 'NOPE' : 'MUG', quantity: 1 }] })
    )
    expected.push(...orders.map(({ orderID }) => new RegExp(`^Inventory(Reserved|Failed)-${orderID}$`)))
    await producer.send(orders.map(order => toRecord(topics.ordersCreated, order, newTraceparent())))
    return orders
  }

  async function cancel(orders: readonly OrderCreated[]): Promise<void> {
    const changes = orders.map(({ orderID, userID }) => orderChangeRequested({ orderID, userID, change: 'cancel' }))
    expected.push(...orders.map(({ orderID }) => new RegExp(`^InventoryReleased-${orderID}`)))
    await producer.send(changes.map(change => toRecord(topics.ordersChanges, change, newTraceparent())))
  }

  const { inventoryReserved, inventoryFailed, inventoryReleased } = topics
  const results = [inventoryReserved.name, inventoryFailed.name, inventoryReleased.name]
  /** Counts how often each expected event is in the topics. */
  async function counts(): Promise<number[]> {
    const ids: string[] = []
    const reader = createTopicReader(connection, results)
    try {
      await reader.readOn(record => ids.push(record.headers.text('event-id') ?? ''), AbortSignal.timeout(30_000))
    } finally {
      await reader.close()
    }
    return expected.map(pattern => ids.filter(id => pattern.test(id)).length)
  }

  /**
   * Runs the inventory until every expected event exists, and checks after its stop that each
   * exists once.
   */
  async function runInventory(test: TestContext): Promise<void> {
    const inventory = await startService(test, 'inventory', environment)
    while ((await counts()).includes(0));
    assert.equal((await inventory.stop()).code, 0)
    const found = await counts()
    assert.deepEqual(new Set(found), new Set([1]))
  }

  const kill = (test: TestContext, point: 'batch-processed' | 'after-commit') =>
    runUntilKilled(test, 'inventory', { point, pass: 1 }, environment)
  return { connection, environment, pool, place, cancel, runInventory, kill }
}

test('lost offsets are set so that every order keeps its one outcome', async t => {
  const { connection, environment, pool, place, cancel, runInventory, kill } = await setUp(t)
  const resolve = (...more: string[]) => askTool<Resolved>(environment, 'positions', 'resolve', group, ...more)
  const list = () => askTool<Listed[]>(environment, 'positions', 'list', group)
  const states = async () => new Set((await list()).flatMap(({ partitions }) => partitions.map(({ state }) => state)))
  const readAgain = ({ offsets }: Resolved) =>
    offsets.reduce((sum, { offset, stored }) => sum + stored - Number(offset), 0)

  await t.test('after a graceful stop, the stored positions become the offsets', async t => {
    await place(1)
    await runInventory(t)
    await pool.query("INSERT INTO inventory.stock (sku, available) VALUES ('MUG', 100000)")
    await place(40)
    await runInventory(t)
    assert.deepEqual((await runTool(environment, 'positions', 'list')).code, 0)
    await deleteGroup(connection, group)
    await place(10)
    await assert.rejects(startService(t, 'inventory', environment), /exit code 65/)
    const listed = await runTool(environment, 'positions', 'list')
    assert.equal(listed.code, 1)
    assert.match(listed.stdout, /offsets missing[\s\S]*inventory-\d+ +offsets_missing/)
    const doctor = await runTool(environment, 'doctor')
    assert.match(
      doctor.stdout,
      /group orders-created: the group has lost its offsets.*positions resolve orders-created/
    )
    const planned = await runTool(environment, 'positions', 'resolve', group)
    assert.match(planned.stdout, /WOULD BE SET TO[\s\S]*0 outputs would be written\. Nothing was changed/)
    assert.ok((await states()).has('offsets missing'))
    assert.equal(readAgain(await resolve('--apply')), 0)
    assert.ok(!(await states()).has('offsets missing'))
    assert.equal((await runTool(environment, 'positions', 'list')).code, 0)
    await runInventory(t)
    assert.match((await runTool(environment, 'positions', 'resolve', group)).stdout, /nothing to do/)
  })

  await t.test('records without committed outputs are read again', async t => {
    await place(30)
    await kill(t, 'batch-processed')
    await deleteGroup(connection, group)
    const resolved = await resolve('--apply')
    assert.ok(readAgain(resolved) > 0)
    assert.equal(resolved.outputs, 0)
    await runInventory(t)
  })

  await t.test('records whose outputs were committed just before a crash are not read again', async t => {
    await place(30)
    await kill(t, 'after-commit')
    await deleteGroup(connection, group)
    assert.equal(readAgain(await resolve('--apply')), 0)
    await runInventory(t)
  })

  await t.test('stored outcomes of records that retention has removed are written', async t => {
    const orders = await place(30)
    await runInventory(t)
    await cancel(orders.filter(({ items }) => items[0]?.sku === 'MUG').slice(0, 8))
    await place(20)
    await kill(t, 'batch-processed')
    await deleteGroup(connection, group)
    const [listed] = await list()
    for (const { topic, partition, stored } of listed?.partitions ?? [])
      if (stored !== undefined) await deleteRecords(connection, { topic, partition }, BigInt(stored))
    const planned = await resolve()
    assert.ok(planned.outputs > 0)
    assert.ok(planned.offsets.some(({ removedByRetention }) => removedByRetention))
    assert.equal((await resolve('--apply')).outputs, planned.outputs)
    await place(5)
    await runInventory(t)
  })

  await t.test('nothing is set while the group has members or the database is behind', async t => {
    const inventory = await startService(t, 'inventory', environment)
    const refused = await runTool(environment, 'positions', 'resolve', group, '--apply', '--wait', '0')
    assert.deepEqual([refused.code, /stop the inventory service first/.test(refused.stderr)], [1, true])
    await inventory.stop()
    await pool.query('UPDATE inventory.positions SET next_offset = 0, committed_offset = 0 WHERE topic = $1', [
      topicNames.ordersCreated
    ])
    const behind = await runTool(environment, 'positions', 'resolve', group, '--apply')
    assert.deepEqual([behind.code, /database is behind Kafka in orders\.created\/0/.test(behind.stderr)], [1, true])
  })

  await t.test('incidents are acknowledged by id, by kind and topic, and by group', async () => {
    await pool.query(
      "INSERT INTO inventory.incidents (group_id, kind, topic, partition) SELECT $1, 'topic_recreated', 'orders.created', n FROM generate_series(0, 2) AS n",
      [group]
    )
    await pool.query(
      "INSERT INTO inventory.incidents (group_id, kind, topic, partition) VALUES ($1, 'partitions_added', 'orders.created', 3), ($1, 'partitions_added', 'orders.changes', 0)",
      [group]
    )
    const [{ id }] = (await pool.query('SELECT min(id) AS id FROM inventory.incidents WHERE acknowledged_at IS NULL'))
      .rows as [{ id: number }]
    const acknowledge = (...args: string[]) => runTool(environment, 'positions', 'acknowledge', ...args, '--by', 'ada')
    assert.match((await acknowledge(`inventory-${id}`)).stdout, /1 incident acknowledged by ada/)
    assert.equal((await acknowledge(`inventory-${id}`)).code, 1)
    const added = ['--kind', 'partitions_added', '--topic', 'orders.created']
    assert.match((await acknowledge('--group', group, ...added)).stdout, /1 incident acknowledged/)
    for (const wrong of [
      [`inventory-${id}`, ...added],
      ['--all', '--kind', 'partitions']
    ])
      assert.equal((await acknowledge(...wrong)).code, 64)
    assert.match((await acknowledge('--group', group)).stdout, /3 incidents acknowledged/)
    assert.equal((await acknowledge()).code, 64)
    assert.equal((await acknowledge('nonsense')).code, 64)
  })
})
