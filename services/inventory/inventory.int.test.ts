import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { createApiKeyStore } from '@orderly/callers'
import { grantKey } from '@orderly/callers/testing'
import { eventID, type OrderCreated } from '@orderly/contracts'
import { orderCreated } from '@orderly/contracts/testing'
import { deadLetterTopic } from '@orderly/kafka'
import { readCommitted } from '@orderly/kafka/testing'
import { runKafkaTool, startService, type TestService } from '@orderly/launcher/testing'
import { newTraceparent, parseTraceparent } from '@orderly/service-kit'
import { type DecidedOrder, type Pipeline, startPipeline } from './testing/pipeline.ts'

function ordersOf(sku: string, count: number, quantity = 1): OrderCreated[] {
  return Array.from({ length: count }, (_, index) =>
    orderCreated({ userID: `${sku}-user-${index % 10}`, items: [{ sku, quantity }] })
  )
}

/** Asserts one outcome per record of an order, all with the same bytes. */
function checkOutcomes(decided: readonly DecidedOrder[]): void {
  for (const { order, timesPlaced, outcomes } of decided) {
    assert.equal(outcomes.length, timesPlaced, `outcomes of order ${order.orderID}`)
    const [first, ...others] = outcomes
    for (const { record } of others) {
      assert.equal(record.topic, first?.record.topic)
      assert.deepEqual(record.value, first?.record.value)
      assert.deepEqual([record.key, record.headers.caller], [first?.record.key, first?.record.headers.caller])
    }
  }
}

/**
 * Asserts that the stock table agrees with the outcomes in the topics.
 * @returns the reserved pieces
 */
async function checkStock({ store }: Pipeline, sku: string, putIn: number, decided: readonly DecidedOrder[]) {
  const reserved = decided
    .filter(({ outcomes }) => outcomes[0]?.eventType === 'InventoryReserved')
    .reduce((sum, { order }) => sum + (order.items[0]?.quantity ?? 0), 0)
  assert.deepEqual(await store.levels([sku]), [{ sku, available: putIn - reserved, reserved }])
  return reserved
}

async function metric(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  const line = text.split('\n').find(line => line.startsWith(name))
  return Number(line?.split(' ').at(-1))
}

test('the inventory on real Kafka and Postgres', async t => {
  const pipeline = await startPipeline(t)

  await t.test('reserved and failed outcomes have the key of their user and continue the trace', async t => {
    const instance = await pipeline.start(t, 'one')
    await pipeline.store.setAvailable(new Map([['MUG', 5]]))
    const items = [
      { sku: 'MUG', quantity: 4 },
      { sku: 'NO-SUCH-TEA', quantity: 1 }
    ]
    const [reserved, failed] = [ordersOf('MUG', 1, 3)[0], orderCreated({ userID: 'MUG-user-0', items })]
    assert.ok(reserved)
    const traceparent = newTraceparent()
    await pipeline.place([reserved, failed], { traceparent })
    const decided = await pipeline.untilDecided([reserved, failed])
    checkOutcomes(decided)
    const [first, second] = decided.map(({ outcomes }) => outcomes[0])
    assert.ok(first && second)
    assert.deepEqual(
      { ...first.event, decidedAtMs: 0, sequence: 0 },
      { ...identity(reserved), items: reserved.items, decidedAtMs: 0, sequence: 0, holdUntilMs: null }
    )
    const shortages = [
      { sku: 'MUG', requested: 4, available: 2, reason: 'OUT_OF_STOCK' },
      { sku: 'NO-SUCH-TEA', requested: 1, available: 0, reason: 'UNKNOWN_SKU' }
    ]
    assert.deepEqual(
      { ...second.event, decidedAtMs: 0, sequence: 0 },
      { ...identity(failed), reason: 'UNKNOWN_SKU', shortages, decidedAtMs: 0, sequence: 0 }
    )
    assert.equal(first.record.headers['event-id'], eventID('InventoryReserved', reserved.orderID))
    for (const { record } of [first, second]) {
      assert.equal(record.key, 'MUG-user-0')
      assert.equal(parseTraceparent(record.headers.traceparent)?.traceID, parseTraceparent(traceparent)?.traceID)
    }
    assert.ok((await metric(instance.url, 'orderly_inventory_outcomes_total{kind="reserved"')) >= 1)
    assert.equal((await instance.stop('SIGTERM')).code, 0)
  })

  await t.test('repeated orders and a second read of the whole topic change nothing', async t => {
    const orders = ordersOf('TEA', 60)
    await pipeline.store.setAvailable(new Map([['TEA', 40]]))
    const first = await pipeline.start(t, 'one')
    await pipeline.place(orders, { caller: 'berlin' })
    const before = await pipeline.untilDecided(orders)
    assert.equal(await checkStock(pipeline, 'TEA', 40, before), 40)
    await pipeline.place(orders, { caller: 'berlin' })
    const twice = await pipeline.untilDecided(orders)
    checkOutcomes(twice)
    for (const { order, outcomes } of twice) {
      assert.deepEqual(
        [outcomes[0]?.record.key, outcomes[0]?.record.headers.caller],
        [`berlin\u001f${order.userID}`, 'berlin']
      )
    }
    assert.deepEqual(new Set(twice.map(({ timesPlaced }) => timesPlaced)), new Set([2]))
    const levels = await pipeline.store.levels(['MUG', 'TEA'])
    assert.equal((await first.stop('SIGTERM')).code, 0)

    await runKafkaTool('org.apache.kafka.tools.consumer.group.ConsumerGroupCommand', [
      ...['--bootstrap-server', pipeline.broker.brokers.join(','), '--group', 'orders-created'],
      ...['--topic', 'orders.created', '--reset-offsets', '--to-earliest', '--execute']
    ])
    // With stored positions, the inventory would refuse offsets below its committed ones.
    await pipeline.pool.query("DELETE FROM inventory.positions WHERE topic = 'orders.created'")
    const second = await pipeline.start(t, 'one')
    const again = await pipeline.untilDecided(orders)
    for (const { outcomes } of again) {
      assert.equal(outcomes.length, 4)
      for (const { record } of outcomes) {
        assert.deepEqual(record.value, outcomes[0]?.record.value)
        assert.deepEqual([record.key, record.headers.caller], [outcomes[0]?.record.key, 'berlin'])
      }
    }
    assert.deepEqual(await pipeline.store.levels(['MUG', 'TEA']), levels)
    assert.ok((await metric(second.url, 'orderly_inventory_replayed_outcomes_total')) >= 120)
    assert.equal((await second.stop('SIGINT')).code, 0)
  })

  await t.test(
    'an order that would create stock becomes a dead letter, and orders of other users continue',
    async t => {
      const instance = await pipeline.start(t, 'one')
      await pipeline.store.setAvailable(new Map([['SPOON', 20]]))
      const wrong = orderCreated({ userID: 'wrong', items: [{ sku: 'SPOON', quantity: -5 }] })
      const orders = ordersOf('SPOON', 20)
      await pipeline.place([wrong, ...orders])
      const decided = await pipeline.untilDecided(orders)
      checkOutcomes(decided)
      assert.equal(await checkStock(pipeline, 'SPOON', 20, decided), 20)
      const deadLetters = deadLetterTopic('orders.created')
      const [deadLettered] = await readCommitted(pipeline.connection, deadLetters, records => records.length > 0)
      assert.equal(deadLettered?.headers['dlq-code'], 'ORDER_INVALID')
      assert.equal((await instance.stop('SIGTERM')).code, 0)
    }
  )

  await t.test('killing instances during batches loses no order and reserves nothing twice', async t => {
    const orders = ordersOf('POT', 2000)
    await pipeline.store.setAvailable(new Map([['POT', 1500]]))
    const first = await pipeline.start(t, 'one')
    await pipeline.start(t, 'two')
    const placing = pipeline.place(orders)
    await untilDecided(pipeline, 'POT', 1)
    await first.stop('SIGKILL')
    await placing
    const third = await pipeline.start(t, 'one')
    const decided = await pipeline.untilDecided(orders)
    checkOutcomes(decided)
    assert.equal(await checkStock(pipeline, 'POT', 1500, decided), 1500)
    assert.equal((await third.stop('SIGTERM')).code, 0)
  })

  await t.test('a frozen instance that resumes after its replacement is fenced and changes nothing', async t => {
    const orders = ordersOf('PAN', 3000)
    await pipeline.store.setAvailable(new Map([['PAN', 2500]]))
    const frozen = await pipeline.start(t, 'one')
    const placing = pipeline.place(orders)
    await untilDecided(pipeline, 'PAN', 1)
    frozen.signal('SIGSTOP')
    const replacement = await pipeline.start(t, 'one')
    await placing
    const before = await pipeline.untilDecided(orders)
    frozen.signal('SIGCONT')
    assert.equal((await frozen.exit).code, 70)
    const decided = await pipeline.untilDecided(orders)
    assert.deepEqual(decided, before)
    checkOutcomes(decided)
    assert.equal(await checkStock(pipeline, 'PAN', 2500, decided), 2500)
    assert.equal((await replacement.stop('SIGTERM')).code, 0)
  })
})

test('SEED_STOCK_FILE adds missing SKUs in dev and is refused in prod', async t => {
  const { environment, store } = await startPipeline(t)
  const directory = await mkdtemp(join(tmpdir(), 'inventory-'))
  t.after(() => rm(directory, { recursive: true }))
  const file = join(directory, 'stock.csv')
  await writeFile(file, 'sku,available\nMUG,12\nTEA,3\n')
  await store.setAvailable(new Map([['TEA', 1]]))
  const seeding = { ...environment, INSTANCE_ID: 'one', SEED_STOCK_FILE: file }
  const instance = await startService(t, 'inventory', seeding)
  assert.deepEqual(await store.levels(['MUG', 'TEA']), [
    { sku: 'MUG', available: 12, reserved: 0 },
    { sku: 'TEA', available: 1, reserved: 0 }
  ])
  assert.equal((await instance.stop('SIGTERM')).code, 0)
  assert.equal(failStart({ ...seeding, ORDERLY_PROFILE: 'prod' }).code, 78)
})

test('stock requires an API key in prod; in dev a warning at startup says that authentication is off', async t => {
  const { environment, pool } = await startPipeline(t)
  const keys = createApiKeyStore(pool)
  const [dev, prod] = await Promise.all([
    startService(t, 'inventory', { ...environment, INSTANCE_ID: 'dev' }),
    startService(t, 'inventory', { ...environment, INSTANCE_ID: 'prod', ORDERLY_PROFILE: 'prod' })
  ])
  const put = async (url: string, key?: string) => {
    const { status } = await fetch(`${url}/stock/MUG`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json', ...(key && { authorization: `Bearer ${key}` }) },
      body: '{"available":3}'
    })
    return status
  }
  const [shop, operator] = [
    await grantKey(keys, { name: 'berlin', role: 'shop' }),
    await grantKey(keys, { name: 'ops', role: 'operator' })
  ]
  assert.deepEqual([await put(prod.url), await put(prod.url, shop), await put(prod.url, operator)], [401, 403, 200])
  assert.equal((await fetch(`${prod.url}/health/ready`)).status, 200)
  assert.equal(await put(dev.url), 200)
  const isLogged = async (service: TestService) =>
    (await service.logs()).some(({ event, level }) => event === 'api_keys_off' && level === 'warn')
  assert.deepEqual([await isLogged(dev), await isLogged(prod)], [true, false])
})

test('stopping and killing the broker under load loses no order', async t => {
  const pipeline = await startPipeline(t)
  await pipeline.store.setAvailable(new Map([['MUG', 700]]))
  await pipeline.start(t, 'one')
  await pipeline.start(t, 'two')
  const orders = ordersOf('MUG', 1000)
  const placing = (async () => {
    for (let start = 0; start < orders.length; start += 20) await pipeline.place(orders.slice(start, start + 20))
  })()
  await untilDecided(pipeline, 'MUG', 40)
  await pipeline.broker.stop()
  await pipeline.broker.start()
  await untilDecided(pipeline, 'MUG', 300)
  await pipeline.broker.kill()
  await pipeline.broker.start()
  await placing
  const decided = await pipeline.untilDecided(orders)
  checkOutcomes(decided)
  assert.equal(await checkStock(pipeline, 'MUG', 700, decided), 700)
})

test('an instance with invalid settings reports all of them and exits with code 78', () => {
  const { code, error } = failStart({
    ORDERLY_PROFILE: 'prod',
    KAFKA_BROKERS: 'kafka:9092',
    INVENTORY_MAX_BATCH: '0'
  })
  assert.equal(code, 78)
  for (const name of ['INSTANCE_ID', 'DATABASE_URL', 'SCHEMA_REGISTRY_URL', 'INVENTORY_MAX_BATCH']) {
    assert.match(error, new RegExp(`^ +${name} `, 'm'))
  }
})

/** Runs the service with invalid settings. */
function failStart(environment: Readonly<Record<string, string>>) {
  const { status, stderr } = spawnSync(process.execPath, [join(import.meta.dirname, 'main.ts')], {
    env: { ...process.env, ...environment },
    encoding: 'utf8',
    timeout: 30_000
  })
  return { code: status, error: stderr }
}

function identity({ orderID, userID }: OrderCreated) {
  return { orderID, userID }
}

/** Resolves once the database has this number of reserved lines for the SKU. */
async function untilDecided({ pool }: Pipeline, sku: string, count: number): Promise<void> {
  const decided = 'SELECT count(*) AS count FROM inventory.reservation_lines WHERE sku = $1'
  while ((await pool.query(decided, [sku])).rows[0].count < count);
}
