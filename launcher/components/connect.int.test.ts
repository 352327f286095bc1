import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import {
  connectTopics,
  createSchemaRegistry,
  eventHeaders,
  type OrderCreated,
  type RecordSchema,
  releasedSchemas,
  toRecord
} from '@orderly/contracts'
import {
  inventoryConfirmed,
  inventoryFailed,
  inventoryReleased,
  inventoryReserved,
  orderChangeRequested,
  orderCreated,
  orderRate,
  stockMoved
} from '@orderly/contracts/testing'
import { createInspector, createProducer, createTopics, type OutputRecord, readDeadLetters } from '@orderly/kafka'
import { deleteTopic, readCommitted, ScriptedProducer } from '@orderly/kafka/testing'
import { integrationEnvironment, startBroker } from '@orderly/launcher/testing'
import { acceptTopicID, operatorNeeded, restartConnector, stateOf } from '../../deploy/connect/connector.ts'
import { projectDirectory } from '../directories.ts'
import { freePort } from '../processes/ports.ts'
import { waitUntil } from '../processes/wait.ts'
import { javaWith } from '../servers.ts'
import { createMissingTopics } from '../stack.ts'
import { superviseRun } from '../testing/supervised-run.ts'
import { startConnect } from './connect.ts'
import { connectJarSets } from './jars.ts'

const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
const createdAtMs = Date.UTC(2026, 0, 2, 3, 4, 5, 678)

/** Starts Kafka Connect as the launcher does, on a separate broker and database. */
async function startAudit(t: TestContext) {
  const { registryURL, databaseURL, databaseURLAs, asSuperuser } = integrationEnvironment()
  // Created before the broker, because the test stops its resources in the order of creation. The
  // Connect worker must stop before the broker: a worker without its broker stops only slowly.
  const { directories, supervisor } = superviseRun(t, 'test')
  const [broker, database] = await Promise.all([startBroker(t), databaseURL()])
  const connection = { brokers: broker.brokers, clientID: 'audit-test' }
  await createMissingTopics(connection, { partitions: 4, replicationFactor: 1 })
  const java = await javaWith(connectJarSets, supervisor, () => {})
  const connect = await startConnect({
    ...{ supervisor, java, dataDirectory: directories.data, port: await freePort() },
    ...{ connection, databaseURL: databaseURLAs('orderly_connect', database), registryURL }
  })
  const producer = await createProducer(connection)
  t.after(() => producer.close())
  const registry = createSchemaRegistry({ url: registryURL })
  const rows = (table: string) => asSuperuser(database, `SELECT * FROM audit.${table}`)
  return {
    broker,
    connect,
    connection,
    logFile: connect.processes[0]?.logFile ?? '',
    registry,
    rows,
    send: (records: OutputRecord[]) => producer.send(records),
    async untilRows(table: string, count: number) {
      const isThere = () => rows(table).then(({ length }) => length === count)
      await waitUntil(isThere, { what: `${count} rows in ${table}`, deadlineMs: 60_000 })
      return rows(table)
    },
    databaseURL: databaseURLAs('orderly_operator', database),
    query: (text: string) => asSuperuser(database, text),
    /** Terminates all connections, as a database administrator would. */
    endConnections: () =>
      asSuperuser(
        database,
        'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()'
      )
  }
}

test('every event of every version becomes one row of its table, and other records go to audit.dlq', async t => {
  const audit = await startAudit(t)
  const { connect, connection, registry, send, untilRows } = audit
  const old = await connectTopics(registry, { ordersCreated: 1 })
  const topics = await connectTopics(registry)
  const version1 = (fields?: Partial<OrderCreated>) => toRecord(old.ordersCreated, orderCreated(fields), traceparent)
  const version2 = (fields: Partial<OrderCreated>) => toRecord(topics.ordersCreated, orderCreated(fields), traceparent)

  await t.test('the fields of the event and of its record are columns', async () => {
    const order = orderCreated({ userID: 'ädå 😀', createdAtMs, totalMinor: 9_007_199_254_740_990 })
    await send([toRecord(old.ordersCreated, order, traceparent, { caller: 'berlin' })])
    const [row] = await untilRows('orders_created', 1)
    const { record_partition: partition, record_timestamp: timestamp, ...rest } = row
    assert.ok(partition >= 0 && partition < 4)
    assert.ok(Math.abs(Date.now() - timestamp.getTime()) < 60_000)
    assert.deepEqual(rest, {
      record_topic: 'orders.created',
      record_generation: 1,
      record_offset: '0',
      record_key: `berlin\u001f${order.userID}`,
      event_id: `OrderCreated-${order.orderID}`,
      caller: 'berlin',
      traceparent,
      order_id: order.orderID,
      user_id: order.userID,
      items: order.items,
      total_minor: '9007199254740990',
      created_at: new Date(createdAtMs)
    })
  })

  await t.test('a new version gets its column automatically, and the old version is still written', async () => {
    await send([version2({ currency: 'JPY' }), version1(), version2({ currency: 'USD' })])
    const orders = await untilRows('orders_created', 4)
    assert.deepEqual(orders.map(({ currency }) => currency).toSorted(), ['EUR', 'EUR', 'JPY', 'USD'])
  })

  await t.test('every topic has its table', async () => {
    const rate = orderRate()
    const movement = stockMoved({ caller: 'berlin' })
    const [change, released, confirmed] = [orderChangeRequested(), inventoryReleased(), inventoryConfirmed()]
    await send([
      toRecord(topics.inventoryReserved, inventoryReserved(), traceparent),
      toRecord(topics.inventoryFailed, inventoryFailed(), traceparent),
      toRecord(topics.ordersChanges, change, traceparent),
      toRecord(topics.inventoryReleased, released, traceparent),
      {
        topic: topics.stockMovements.name,
        key: movement.sku,
        value: topics.stockMovements.codec.encode(movement),
        headers: eventHeaders(topics.stockMovements, 'movement-1', traceparent)
      },
      toRecord(topics.inventoryConfirmed, confirmed, traceparent),
      {
        topic: topics.orderRate.name,
        key: 'minute',
        value: topics.orderRate.codec.encode(rate),
        headers: eventHeaders(topics.orderRate, 'minute-1', traceparent)
      }
    ])
    const [reserved] = await untilRows('inventory_reserved', 1)
    assert.deepEqual(reserved.items, inventoryReserved().items)
    const [failed] = await untilRows('inventory_failed', 1)
    assert.deepEqual(failed.shortages, inventoryFailed().shortages)
    for (const [table, { orderID }] of Object.entries({
      orders_changes: change,
      inventory_released: released,
      inventory_confirmed: confirmed
    })) {
      const [row] = await untilRows(table, 1)
      assert.equal(row.order_id, orderID, table)
    }
    const [moved] = await untilRows('inventory_stock_movements', 1)
    assert.deepEqual([moved.caller, moved.event_caller], [null, 'berlin'])
    const [published] = await untilRows('metrics_order_rate', 1)
    assert.deepEqual([published.orders, published.per_second, published.is_final], ['30', 0.5, false])
    assert.equal(published.window_start.getTime(), rate.windowStartMs)
  })

  await t.test('a record that is not an event becomes a dead letter, and later records are written', async () => {
    const poison = (value: Buffer | null): OutputRecord => ({
      ...{ topic: 'orders.created', key: randomUUID(), headers: {} },
      value: value as Buffer
    })
    const torn = (version1().value as Buffer).subarray(0, 20)
    // A replay of dead letters leaves this marker in the topic. It is not an event, but not an
    // error either.
    const release: OutputRecord = { ...poison(null), headers: { 'dlq-release': randomUUID() } }
    await send([
      release,
      ...[Buffer.from('this is no order'), Buffer.from([0, 0x7f, 0xff, 0xff, 0xff, 1]), torn, null].map(poison),
      version1()
    ])
    await untilRows('orders_created', 5)
    const deadLettered = await readCommitted(connection, 'audit.dlq', records => records.length === 4)
    const reasons = deadLettered.map(({ headers }) => headers['__connect.errors.exception.message'])
    assert.deepEqual(reasons.toSorted(), [
      'The event ends early',
      'The record has no value and is not a replay marker',
      'The registry has no schema 2147483647',
      'The value is not in the Confluent wire format'
    ])
    const keys = await readDeadLetters(connection, ['audit.dlq'], t.signal)
    const deadLetters = keys.flatMap(({ deadLetters }) => deadLetters)
    assert.deepEqual(deadLetters.map(({ reason }) => reason).toSorted(), reasons.toSorted())
    for (const { stage, code, source, isCopy } of deadLetters) {
      assert.deepEqual([stage, code, source.topic, isCopy], ['audit', 'DataException', 'orders.created', true])
    }
  })

  await t.test('a partition whose last record is not an event has no lag', async () => {
    await send([{ topic: 'orders.created', key: 'last', value: Buffer.from('this is no order'), headers: {} }])
    const inspector = createInspector(connection)
    t.after(() => inspector.close())
    const lag = async () => inspector.lag(await inspector.group('connect-audit'))
    await waitUntil(async () => (await lag()).every(({ lagRecords }) => lagRecords === 0), {
      what: 'no lag of the audit',
      deadlineMs: 60_000
    })
  })

  await t.test(
    'markers and records of aborted transactions after its last record are no lag of the audit',
    async () => {
      const transactional = await new ScriptedProducer(connection, 'aborting').init()
      await transactional.write('inventory.released', 0, ['a', 'b', 'c'])
      await transactional.end('abort')
      await transactional.close()
      const inspector = createInspector(connection)
      t.after(() => inspector.close())
      const ofAborted = async () =>
        (await inspector.lag(await inspector.group('connect-audit'))).find(
          ({ topic, partition }) => topic === 'inventory.released' && partition === 0
        )
      await waitUntil(
        async () => (await ofAborted())?.endOffset === 4n + ((await ofAborted())?.committedOffset ?? 0n),
        {
          what: 'the abort marker',
          deadlineMs: 60_000
        }
      )
      assert.equal((await ofAborted())?.lagRecords, 0)
    }
  )

  await t.test('a database that terminates its connections neither loses nor duplicates an event', async () => {
    const some = () => Array.from({ length: 200 }, () => version1())
    await send(some())
    await audit.endConnections()
    await send(some())
    await untilRows('orders_created', 405)
    const { tasks } = await stateOf(connect.workerURL, 'audit')
    assert.deepEqual(
      tasks.map(({ state }) => state),
      ['RUNNING']
    )
  })
})

test('a record with a foreign schema becomes a row only if it can be read as the event of its topic', async t => {
  const { connection, registry, send, untilRows, connect } = await startAudit(t)
  const topics = await connectTopics(registry)
  const old = await connectTopics(registry, { ordersCreated: 1 })
  const order = toRecord(old.ordersCreated, orderCreated(), traceparent)
  const failed = toRecord(topics.inventoryFailed, inventoryFailed(), traceparent)
  const [orderCreatedV1] = releasedSchemas['orders.created'] as [RecordSchema]
  const partner: RecordSchema = {
    ...orderCreatedV1,
    namespace: 'com.partner',
    fields: [...orderCreatedV1.fields, { name: 'shop', type: 'string' }]
  }
  const partnerID = await registry.register(`partner-${randomUUID()}`, partner)
  const ofPartner = Buffer.concat([header(partnerID), (order.value as Buffer).subarray(5), Buffer.from('\u0008west')])
  const { topic, key } = order
  await send([
    order,
    // Once with its own schema id, and once with the fingerprint of another event.
    { ...failed, topic, headers: {} },
    { ...failed, topic, key },
    { topic, key, value: ofPartner, headers: {} }
  ])
  const rows = await untilRows('orders_created', 2)
  assert.deepEqual(rows.map(({ shop }) => shop).toSorted(), [null, 'west'])
  await send([order])
  await untilRows('orders_created', 3)
  const deadLettered = await readCommitted(connection, 'audit.dlq', records => records.length === 2)
  for (const { headers } of deadLettered) {
    const reason = headers['__connect.errors.exception.message'] ?? ''
    assert.match(reason, /InventoryFailed cannot be read as the topic's event com\.orderly\.events\.OrderCreated/)
  }
  const { tasks } = await stateOf(connect.workerURL, 'audit')
  assert.deepEqual(
    tasks.map(({ state }) => state),
    ['RUNNING']
  )
})

test('the REST API of the worker requires its password, which only the user of the launcher can read', async t => {
  const { connect, broker, databaseURL } = await startAudit(t)
  const ask = (headers: Record<string, string>) => fetch(`${connect.address}/connectors`, { headers })
  const { username, password } = new URL(connect.workerURL)
  const basic = (password: string) => `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
  assert.equal((await ask({})).status, 401)
  assert.equal((await ask({ authorization: basic('wrong') })).status, 401)
  const authorization = basic(password)
  assert.deepEqual(await (await ask({ authorization })).json(), ['audit'])

  await t.test('a paused audit runs again after the command that the doctor advises', async () => {
    const paused = await fetch(`${connect.address}/connectors/audit/pause`, {
      method: 'PUT',
      headers: { authorization }
    })
    assert.equal(paused.status, 202)
    const environment = {
      ...process.env,
      ...{ ORDERLY_STACK: 'none', KAFKA_BROKERS: broker.brokers.join(','), CONNECT_URL: connect.workerURL },
      ...{ SCHEMA_REGISTRY_URL: integrationEnvironment().registryURL, DATABASE_URL: databaseURL }
    }
    const tool = (...args: readonly string[]) =>
      new Promise<string>(resolve =>
        execFile(
          process.execPath,
          [join(projectDirectory, 'cli/main.ts'), ...args],
          { env: environment },
          (_, stdout) => resolve(stdout)
        )
      )
    const finding = async () => {
      const { findings } = JSON.parse(await tool('doctor', '--json')) as {
        readonly findings: readonly { readonly about: string; readonly todo: string }[]
      }
      return findings.find(({ about }) => about === 'connector audit')
    }
    await waitUntil(async () => (await finding()) !== undefined, { what: 'the finding', deadlineMs: 120_000 })
    const [, advised = ''] = /npm run orderly -- (audit restart[^;)]*)/.exec((await finding())?.todo ?? '') ?? []
    assert.match(await tool(...advised.trim().split(' ')), /audit is restarted/)
    await waitUntil(async () => (await finding()) === undefined, { what: 'no finding', deadlineMs: 120_000 })
    const { connector, tasks } = await stateOf(connect.workerURL, 'audit')
    assert.deepEqual(
      [connector, ...tasks].map(({ state }) => state),
      ['RUNNING', 'RUNNING']
    )
  })
})

test('the audit stops at a recreated topic, and continues with a new generation once an operator accepts it', async t => {
  const audit = await startAudit(t)
  const { connect, connection, registry, rows, send, untilRows, query } = audit
  const topics = await connectTopics(registry)
  const orders = (count: number) =>
    Array.from({ length: count }, () => toRecord(topics.ordersCreated, orderCreated(), traceparent))
  const changes = (count: number) =>
    Array.from({ length: count }, () => toRecord(topics.ordersChanges, orderChangeRequested(), traceparent))
  await send([...orders(20), ...changes(1)])
  await untilRows('orders_created', 20)
  const before = await rows('orders_created')
  await deleteTopic(connection, 'orders.created')
  const recreated = { name: 'orders.created', partitions: 4, replicationFactor: 1 }
  await waitUntil(() => createTopics(connection, [recreated]).then(() => true), {
    what: 'the recreated topic',
    deadlineMs: 30_000
  })
  // More records than before, so that committed offsets of the former topic are within this one.
  await send(orders(40))
  const reason = async () => operatorNeeded(await stateOf(connect.workerURL, 'audit'))
  await waitUntil(async () => (await reason()) !== undefined, { what: 'the audit to stop', deadlineMs: 120_000 })
  assert.deepEqual(await rows('orders_created'), before)
  const [, entry = ''] = /adds (orders\.created:\S+) to/.exec((await reason()) ?? '') ?? []
  await acceptTopicID(connect.workerURL, 'audit', entry)
  await send(changes(1))
  await untilRows('orders_changes', 2)
  const after = await untilRows('orders_created', 60)
  const count = (generation: number) => after.filter(row => row.record_generation === generation).length
  assert.deepEqual([count(1), count(2)], [20, 40])

  await t.test('rows missing from a restored database are written again', async () => {
    await query('DELETE FROM audit.orders_created WHERE record_generation = 2 AND record_offset > 2')
    await restartConnector(connect.workerURL, 'audit')
    await untilRows('orders_created', 60)
  })
})

test('Kafka Connect logs few lines while its broker is down', async t => {
  const { broker, logFile, untilRows, registry, send } = await startAudit(t)
  const topics = await connectTopics(registry)
  await send([toRecord(topics.ordersCreated, orderCreated(), traceparent)])
  await untilRows('orders_created', 1)
  const countLines = async () => (await readFile(logFile, 'utf8')).split('\n').length
  const linesBefore = await countLines()
  await broker.kill()
  const awaySeconds = 20
  await delay(awaySeconds * 1_000)
  const lines = (await countLines()) - linesBefore
  assert.ok(lines < 10 * awaySeconds, `${lines} lines in ${awaySeconds} seconds`)
  await broker.start()
  await send([toRecord(topics.ordersCreated, orderCreated(), traceparent)])
  await untilRows('orders_created', 2)
})

function header(schemaID: number): Buffer {
  const bytes = Buffer.alloc(5)
  bytes.writeInt32BE(schemaID, 1)
  return bytes
}
