import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, type TestContext, test } from 'node:test'
import { integrationEnvironment } from '@orderly/launcher/testing'
import { createPool, StoreUnavailableError } from '@orderly/postgres'
import { runOn } from './database.ts'
import { createKeyStore } from './idempotency-keys.ts'
import { examinedPerPage } from './order-pages.ts'
import type { OrderFilter } from './order-store.ts'
import { createOrderStore } from './orders.ts'
import { orderSessionSettings } from './schema.ts'
import { aClaim, testKeyStore } from './testing/key-store-contract.ts'
import { testOrderStore } from './testing/order-store-contract.ts'

const url = await integrationEnvironment().databaseURL()
const settings = {
  url,
  applicationName: 'order-test',
  statementTimeoutMs: 10_000,
  sessionSettings: orderSessionSettings
}
const pool = createPool({ ...settings, maxConnections: 5 })
after(() => pool.end())

/** Opens a key store with separate connections, as another instance would have. */
function openKeys(t: TestContext) {
  const own = createPool({ ...settings, applicationName: `instance ${randomUUID()}`, maxConnections: 2 })
  t.after(() => own.end())
  return { store: createKeyStore(runOn(own)), own }
}

testOrderStore(
  'orders in Postgres',
  async () => {
    await pool.query('TRUNCATE orders.orders')
    return createOrderStore(runOn(pool))
  },
  { runs: 30 }
)

testKeyStore('keys in Postgres', async () => {
  await pool.query('TRUNCATE orders.idempotency_keys')
  return {
    store: createKeyStore(runOn(pool)),
    age: async ms => {
      await pool.query(
        `UPDATE orders.idempotency_keys SET lease_until = lease_until - $1 * interval '1 millisecond',
          reserved_at = reserved_at - $1 * interval '1 millisecond'`,
        [ms]
      )
    }
  }
})

test('two instances that claim and store the same keys concurrently in opposite order do not deadlock', async t => {
  await pool.query('TRUNCATE orders.idempotency_keys')
  const stores = [openKeys(t), openKeys(t)].map(({ store }) => store)
  const keys = Array.from({ length: 200 }, (_, index) => `key-${index}`)
  const claimAll = () =>
    Promise.all(
      stores.flatMap((store, index) =>
        [...keys, ...keys].map(async (_, at, all) => {
          const key = all[index === 0 ? at : all.length - 1 - at] as string
          return { key, store, claimed: await store.claim(aClaim(key), 60_000) }
        })
      )
    )
  for (let round = 1; round <= 10; round++) {
    const had = (await claimAll()).flatMap(({ key, store, claimed }) =>
      claimed.kind === 'claimed' ? { key, store, attempt: claimed.attempt } : []
    )
    assert.deepEqual(had.map(({ key }) => key).toSorted(), keys.toSorted())
    assert.ok(had.every(({ attempt }) => attempt === round))
    // All leases have ended, so the next claims update existing rows.
    await pool.query('UPDATE orders.idempotency_keys SET lease_until = now()')
  }
  for (let round = 0; round < 10; round++) {
    await pool.query(`UPDATE orders.idempotency_keys SET state = 'in-flight', lease_until = now()`)
    const storing = stores.flatMap((store, index) =>
      (index === 0 ? keys.toReversed() : keys).map(key => store.markStored({ caller: 'shop', key }))
    )
    await Promise.all([claimAll(), ...storing])
  }
  const claims = await claimAll()
  assert.ok(claims.every(({ claimed }) => claimed.kind === 'placed'))
})

test('a failed statement rejects all claims of its group, and later claims succeed', async t => {
  await pool.query('TRUNCATE orders.idempotency_keys')
  const { store, own } = openKeys(t)
  const claim = async (key: string) => (await store.claim(aClaim(key), 60_000)).kind
  assert.equal(await claim('warm'), 'claimed')
  const blocker = await pool.connect()
  try {
    await blocker.query('BEGIN; LOCK TABLE orders.idempotency_keys')
    const failing = Promise.allSettled(['a', 'b'].map(claim))
    const waiting = `SELECT pid FROM pg_stat_activity WHERE application_name = $1 AND wait_event_type = 'Lock'`
    let pid: number | undefined
    while (pid === undefined) pid = (await pool.query(waiting, [own.options.application_name])).rows[0]?.pid
    const later = ['c', 'd'].map(claim)
    await pool.query('SELECT pg_terminate_backend($1)', [pid])
    for (const one of await failing) assert.ok(one.status === 'rejected' && one.reason instanceof StoreUnavailableError)
    await blocker.query('COMMIT')
    assert.deepEqual(await Promise.all(later), ['claimed', 'claimed'])
    assert.deepEqual(await Promise.all(['a', 'b'].map(claim)), ['claimed', 'claimed'])
  } finally {
    blocker.release()
  }
})

test('orders and pages are read by index', async () => {
  await pool.query('TRUNCATE orders.orders')
  const single = createPool({ ...settings, maxConnections: 1 })
  after(() => single.end())
  const store = createOrderStore(runOn(single))
  await store.find(['1'])
  const filters: OrderFilter[] = [
    {},
    { userID: 'ann' },
    { userID: 'ann', caller: 'berlin' },
    { status: 'failed' },
    { sku: 'MUG', fromMs: 1, untilMs: 2 },
    { userID: 'ann', status: 'failed' }
  ]
  for (const filter of filters)
    for (const beforeID of [undefined, '1']) await store.list(filter, { limit: 1, beforeID })
  const { rows: statements } = await single.query(
    'SELECT name, parameter_types::text[] AS types FROM pg_prepared_statements'
  )
  // Three filters need a second statement. No order was examined, so the page has no lower bound.
  assert.equal(statements.length, 1 + 6 * 2 + 3 * 2)
  for (const { name, types } of statements) {
    const given = types.map(
      (type: string) => ({ bigint: '1', 'double precision': '1', jsonb: "'[]'", 'text[]': "'{a}'" })[type] ?? "'a'"
    )
    const { rows } = await single.query(`EXPLAIN EXECUTE "${name}" (${given.join(', ')})`)
    const plan = rows.map(row => row['QUERY PLAN']).join('\n')
    assert.match(plan, /Index (Only )?Scan/)
    assert.doesNotMatch(plan, /Sort|Seq Scan/)
  }
})

test('a page with a filter examines a limited number of orders, and the next page continues after them', async () => {
  await pool.query('TRUNCATE orders.orders')
  await pool.query(
    `INSERT INTO orders.orders (order_id, user_id, items, total_minor, currency, accepted_at, created_partition, created_offset, outcome, decided_at, outcome_partition, outcome_offset)
      SELECT lpad(number::text, 6, '0'), 'ann', '[]', 1, 'EUR', now(), 0, number,
        CASE WHEN number IN (1, 2) THEN 'reserved' END, CASE WHEN number IN (1, 2) THEN now() END,
        CASE WHEN number IN (1, 2) THEN 0 END, CASE WHEN number IN (1, 2) THEN number END
      FROM generate_series(1, $1) AS number`,
    [examinedPerPage + 2]
  )
  const store = createOrderStore(runOn(pool))
  for (const userID of [undefined, 'ann']) {
    const list = (beforeID?: string) => store.list({ status: 'reserved', userID }, { limit: 1, beforeID })
    assert.deepEqual(await list(), { orders: [], nextBeforeID: '000003' })
    const second = await list('000003')
    assert.deepEqual([second.orders.map(({ orderID }) => orderID), second.nextBeforeID], [['000002'], '000002'])
    const last = await list('000002')
    assert.deepEqual([last.orders.map(({ orderID }) => orderID), last.nextBeforeID], [['000001'], undefined])
  }
})
