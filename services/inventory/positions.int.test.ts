import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type OrderCreated, toRecord } from '@orderly/contracts'
import { orderCreated } from '@orderly/contracts/testing'
import { createInspector, createProducer, createTopicReader } from '@orderly/kafka'
import { deleteGroup } from '@orderly/kafka/testing'
import { createMissingTopics } from '@orderly/launcher'
import { backUpSchema, startBroker, startService, type TestService } from '@orderly/launcher/testing'
import { newTraceparent } from '@orderly/service-kit'
import { kafkaUses } from './kafka-access.ts'
import { startPipeline } from './testing/pipeline.ts'
import { readPublished } from './testing/read-published.ts'

const [group] = kafkaUses.groups

function someOrders(count: number): OrderCreated[] {
  return Array.from({ length: count }, (_, index) =>
    orderCreated({ userID: `user-${index % 10}`, items: [{ sku: 'MUG', quantity: 1 }] })
  )
}

test('an inventory that lost its offsets or database stops instead of deciding again', async t => {
  const pipeline = await startPipeline(t)
  await pipeline.store.setAvailable(new Map([['MUG', 1_000]]))
  const incidents = async () => {
    const { rows } = await pipeline.pool.query('SELECT DISTINCT kind FROM inventory.incidents ORDER BY kind')
    return rows.map(({ kind }) => kind)
  }
  const decided = async () => {
    const { rows } = await pipeline.pool.query('SELECT count(*)::integer AS count FROM inventory.outcomes')
    return rows[0].count as number
  }
  const published = async () => {
    const { inventoryReserved, inventoryFailed } = pipeline.topics
    const reader = createTopicReader(pipeline.connection, [inventoryReserved.name, inventoryFailed.name])
    let records = 0
    await reader.readOn(() => records++, AbortSignal.timeout(30_000))
    await reader.close()
    return records
  }
  /** Returns the exit code and the error of a service that exited. */
  const reasonOf = async (instance: Pick<TestService, 'exit' | 'logs'>) => {
    const { code } = await instance.exit
    const failed = (await instance.logs()).find(({ event }) => event === 'service_failed')
    return { code, error: failed?.error as { code: string; message: string } }
  }

  await t.test('each batch saves its positions, even if an instance is killed during the batch', async t => {
    const orders = someOrders(60)
    await pipeline.place(orders)
    await pipeline.killAt(t, 'batch-processed', 1)
    await pipeline.killAt(t, 'before-commit', 1)
    const instance = await pipeline.start(t, 'one')
    for (const { timesPlaced, outcomes } of await pipeline.untilDecided(orders))
      assert.equal(outcomes.length, timesPlaced)
    assert.equal((await instance.stop()).code, 0)
    const { rows } = await pipeline.pool.query(
      `SELECT count(*)::integer AS rows, bool_and(committed_offset = next_offset) AS all_committed, min(leader_epoch) AS epoch
      FROM inventory.positions WHERE group_id = $1 AND topic = 'orders.created'`,
      [group]
    )
    assert.deepEqual(rows, [{ rows: 4, all_committed: true, epoch: 0 }])
    assert.deepEqual(await incidents(), [])
  })

  await t.test('a database restored to an earlier state while an instance runs stops it at the next order', async t => {
    const instance = await pipeline.start(t, 'one')
    const backup = await backUpSchema(pipeline.pool, 'inventory')
    const orders = someOrders(40)
    await pipeline.place(orders)
    await pipeline.untilDecided(orders)
    const whole = await backUpSchema(pipeline.pool, 'inventory')
    await backup.restore()
    const before = await decided()
    await pipeline.place(someOrders(40))
    const { code, error } = await reasonOf(instance)
    assert.deepEqual([code, error.code], [65, 'DATABASE_BEHIND'])
    assert.match(error.message, /orders\.created\/\d \(\d+ to \d+\).*Run: orderly reconcile/)
    assert.equal(await decided(), before)
    assert.deepEqual(await incidents(), ['database_behind'])
    // Restores the state that `reconcile` would rebuild.
    await whole.restore()
  })

  await t.test('an instance whose group was deleted does not start', async t => {
    const orders = someOrders(40)
    await pipeline.place(orders)
    const instance = await pipeline.start(t, 'one')
    await pipeline.untilDecided(orders)
    assert.equal((await instance.stop()).code, 0)
    await deleteGroup(pipeline.connection, group)
    const before = await published()
    await pipeline.place(someOrders(10))
    await assert.rejects(
      pipeline.start(t, 'one'),
      /exit code 65.*Run: orderly positions resolve orders-created.*OFFSETS_MISSING/s
    )
    assert.equal(await published(), before)
    assert.deepEqual(await incidents(), ['offsets_missing'])
    // The instance has left its group, so an operator can set offsets without waiting for the
    // session timeout.
    const inspector = createInspector(pipeline.connection)
    t.after(() => inspector.close())
    assert.deepEqual((await inspector.group(group)).members, [])
  })

  await t.test(
    'a cluster that lost its disk is read from the beginning, and known orders keep their outcomes',
    async t => {
      const outcomeOf = async ({ orderID }: OrderCreated) =>
        (await pipeline.pool.query('SELECT sequence FROM inventory.outcomes WHERE order_id = $1', [orderID])).rows[0]
      const { rows } = await pipeline.pool.query(
        "SELECT order_id FROM inventory.outcomes WHERE kind = 'reserved' LIMIT 1"
      )
      const known = { ...someOrders(1)[0], orderID: rows[0].order_id } as OrderCreated
      const sequence = Number((await outcomeOf(known)).sequence)
      const broker = await startBroker(t)
      const connection = { brokers: broker.brokers, clientID: 'inventory-test' }
      await createMissingTopics(connection, { partitions: 4, replicationFactor: 1 })
      const producer = await createProducer(connection)
      t.after(() => producer.close())
      const orders = [known, ...someOrders(40)]
      const { ordersCreated, inventoryReserved } = pipeline.topics
      await producer.send(orders.map(order => toRecord(ordersCreated, order, newTraceparent())))
      const environment = { ...pipeline.environment, KAFKA_BROKERS: broker.brokers.join(','), INSTANCE_ID: 'one' }
      const instance = await startService(t, 'inventory', environment)
      const outcomes = await readPublished(
        connection,
        [inventoryReserved],
        orders.map(({ orderID }) => orderID)
      )
      for (const { orderID } of orders) assert.equal(outcomes.get(orderID)?.length, 1)
      assert.equal(outcomes.get(known.orderID)?.[0]?.event.sequence, sequence)
      assert.deepEqual(await incidents(), ['offsets_missing', 'topic_recreated'])
      assert.equal((await instance.stop()).code, 0)
    }
  )
})
