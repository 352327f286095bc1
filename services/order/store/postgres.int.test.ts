import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, type TestContext, test } from 'node:test'
import { integrationEnvironment } from '@orderly/launcher/testing'
import { createPool, StoreUnavailableError } from '@orderly/postgres'
import { runOn } from './database.ts'
import { createKeyStore } from './idempotency-keys.ts'
import { reservationTrustMs } from './key-state.ts'
import { examinedPerPage } from './order-pages.ts'
import type { OrderFilter } from './order-store.ts'
import { createOrderStore } from './orders.ts'
import { orderSessionSettings } from './schema.ts'
import { aBatch, testKeyStore } from './testing/key-store-contract.ts'
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

const truncateKeys = () => pool.query('TRUNCATE orders.idempotency_keys, orders.reserved_batches')
const leaseMs = 60_000

testKeyStore('keys in Postgres', async () => {
  await truncateKeys()
  return {
    store: createKeyStore(runOn(pool)),
    age: async ms => {
      const older = (...columns: string[]) =>
        columns.map(column => `${column} = ${column} - ${ms} * interval '1 millisecond'`).join(', ')
      await pool.query(`UPDATE orders.idempotency_keys SET ${older('lease_until', 'reserved_at', 'claimed_at')}`)
      await pool.query(`UPDATE orders.reserved_batches SET ${older('lease_until', 'reserved_at')}`)
    }
  }
})

test('instances that claim the same keys concurrently in opposite order do not deadlock, and each key has one batch', async t => {
  await truncateKeys()
  const stores = [openKeys(t), openKeys(t), openKeys(t)].map(({ store }) => store)
  const keys = Array.from({ length: 100 }, (_, index) => `key-${index}`)
  const claimed: string[] = []
  for (let round = 0; round < 10; round++) {
    const own = keys.map(key => `${round} ${key}`)
    const batches = stores.flatMap(store => [
      { store, batch: aBatch(...own.slice(0, 60)) },
      { store, batch: aBatch(...own.slice(40).toReversed()) }
    ])
    const results = await Promise.all(batches.map(({ store, batch }) => store.claim([batch], leaseMs)))
    for (const [index, known] of results.entries())
      if (known === undefined) claimed.push(...(batches[index]?.batch.claims.map(({ key }) => key) ?? []))
    assert.ok(claimed.length > 0)
    await Promise.all(batches.flatMap(({ store, batch }) => stores.map(() => store.markStored(batch.id))))
  }
  assert.equal(new Set(claimed).size, claimed.length)
  const { rows } = await pool.query('SELECT key FROM orders.idempotency_keys')
  assert.deepEqual(rows.map(({ key }) => key).toSorted(), claimed.toSorted())
  assert.equal((await pool.query('SELECT FROM orders.reserved_batches')).rowCount, 0)
})

test('a failed statement claims nothing, and a later claim of the same keys succeeds', async t => {
  await truncateKeys()
  const { store, own } = openKeys(t)
  assert.equal(await store.claim([aBatch('warm')], leaseMs), undefined)
  const blocker = await pool.connect()
  try {
    await blocker.query('BEGIN; LOCK TABLE orders.idempotency_keys')
    const failing = store.claim([aBatch('a', 'b')], leaseMs).catch(error => error)
    const waiting = `SELECT pid FROM pg_stat_activity WHERE application_name = $1 AND wait_event_type = 'Lock'`
    let pid: number | undefined
    while (pid === undefined) pid = (await pool.query(waiting, [own.options.application_name])).rows[0]?.pid
    await pool.query('SELECT pg_terminate_backend($1)', [pid])
    assert.ok((await failing) instanceof StoreUnavailableError)
    await blocker.query('COMMIT')
    assert.equal(await store.claim([aBatch('a', 'b')], leaseMs), undefined)
  } finally {
    blocker.release()
  }
})

test('an order that version 0.1.0 claimed is taken over with its reservation, stored, and can be moved to a batch', async () => {
  await truncateKeys()
  const store = createKeyStore(runOn(pool))
  // The statement of 0.1.0, with the columns that it fills.
  const claimAsBefore = (key: string, ageMs: number) =>
    pool.query(
      `INSERT INTO orders.idempotency_keys (caller, key, fingerprint, order_id, accepted_at_ms, traceparent,
        topic_partition, producer_id, producer_epoch, sequence, reserved_at, lease_until)
      VALUES ('shop', $1, '\\xab', $1, 1, 'trace', 2, 9007199254740993, 0, 7, now() - $2 * interval '1 ms', now())`,
      [key, ageMs]
    )
  const name = { caller: 'shop', key: 'a' }
  const find = async (key: string) => {
    const [known] = (await store.claim([aBatch(key)], leaseMs)) ?? []
    assert.ok(known)
    return known
  }
  await claimAsBefore('a', 0)
  assert.ok((await find('a')).state.kind === 'single')
  const reservation = { partition: 2, producerID: 9_007_199_254_740_993n, epoch: 0, sequence: 7 }
  const single = { attempt: 2, reservation, mayBeForgotten: false, needsLookup: false }
  assert.deepEqual(await store.takeSingle(name, leaseMs), single)
  assert.equal(await store.takeSingle(name, leaseMs), undefined)
  await store.releaseSingle(name, 1)
  assert.equal(await store.takeSingle(name, leaseMs), undefined)
  await store.releaseSingle(name, 2)
  assert.equal((await store.takeSingle(name, leaseMs))?.attempt, 3)
  await store.markSingleStored(name)
  assert.equal((await find('a')).state.kind, 'stored')
  assert.equal(await store.takeSingle(name, leaseMs), undefined)

  await claimAsBefore('b', reservationTrustMs + 1_000)
  const old = await find('b')
  assert.equal((await store.takeSingle(old, leaseMs))?.mayBeForgotten, true)
  const batch = aBatch()
  assert.equal(await store.move(old, batch, leaseMs), true)
  assert.equal(await store.move(old, aBatch(), leaseMs), false)
  const { state } = await find('b')
  assert.ok(state.kind === 'in-batch' && state.batchID === batch.id)
  await store.markStored(batch.id)
  assert.equal((await find('b')).state.kind, 'stored')
})

test('version 0.1.0 neither takes over nor answers an order that has a batch', async () => {
  await truncateKeys()
  const store = createKeyStore(runOn(pool))
  const [claim] = aBatch('a').claims
  assert.ok(claim)
  const batch = { ...aBatch(), claims: [claim] }
  await store.claim([batch], 0)
  for (const isMarked of [false, true]) {
    if (isMarked) await store.markStored(batch.id)
    // The condition of 0.1.0 for the next attempt, and what it reads otherwise.
    const { rows } = await pool.query(
      `SELECT state = 'in-flight' AND lease_until <= now() AS is_taken, state,
        extract(epoch FROM lease_until - now())::float8 * 1000 > $1 AS is_leased FROM orders.idempotency_keys`,
      [reservationTrustMs]
    )
    assert.deepEqual(rows, [{ is_taken: false, state: 'in-flight', is_leased: true }])
  }
})

test('a claim and its lookup read each key by index', async () => {
  await truncateKeys()
  const single = createPool({ ...settings, maxConnections: 1 })
  after(() => single.end())
  const store = createKeyStore(runOn(single))
  await store.claim([aBatch('a')], leaseMs)
  await store.claim([aBatch('a')], leaseMs)
  for (const [name, given] of [
    ['claim-keys', `'{s}','{a}','{a}','{a}','{1}','{a}','{${randomUUID()}}','{${randomUUID()}}','{1}','{a}',1,1`],
    ['look-up-keys', `'{s}','{a}'`]
  ]) {
    const { rows } = await single.query(`EXPLAIN EXECUTE "${name}" (${given})`)
    const plan = rows.map(row => row['QUERY PLAN']).join('\n')
    assert.match(plan, /Index (Only )?Scan using idempotency_keys_pkey/)
    assert.doesNotMatch(plan, /Seq Scan/)
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
