import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { createPool, migrate } from '@orderly/postgres'
import { integrationEnvironment } from '@orderly/stack/testing'
import { createPostgresKeyStore } from './postgres-keys.ts'
import { createPostgresOrderStore } from './postgres-orders.ts'
import { orderSchema, orderSessionSettings } from './schema.ts'
import { testKeyStore } from './testing/key-store-contract.ts'
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
await migrate(pool, { ...orderSchema, logger: { info: () => {}, warn: () => {} } })

testOrderStore(
  'orders in Postgres',
  async () => {
    await pool.query('TRUNCATE orders.orders')
    return createPostgresOrderStore(pool)
  },
  { runs: 30 }
)

testKeyStore('keys in Postgres', async () => {
  await pool.query('TRUNCATE orders.idempotency_keys')
  return {
    store: createPostgresKeyStore(pool),
    age: async ms => {
      await pool.query(
        `UPDATE orders.idempotency_keys SET lease_until = lease_until - $1 * interval '1 millisecond',
          slot_at = slot_at - $1 * interval '1 millisecond', claimed_at = claimed_at - $1 * interval '1 millisecond'`,
        [ms]
      )
    }
  }
})

test('orders, pages and keys are read by index', async () => {
  await pool.query('TRUNCATE orders.orders')
  const single = createPool({ ...settings, maxConnections: 1 })
  after(() => single.end())
  const store = createPostgresOrderStore(single)
  await store.find(['1'])
  await store.list('ann', { limit: 1 })
  await store.list('ann', { limit: 1, beforeID: '1' })
  await store.list('ann', { limit: 1, caller: 'berlin' })
  await store.list('ann', { limit: 1, beforeID: '1', caller: 'berlin' })
  const { rows: statements } = await single.query('SELECT name FROM pg_prepared_statements')
  assert.equal(statements.length, 5)
  for (const { name } of statements) {
    const caller = name.includes('caller') ? ", 'berlin'" : ''
    const older = name.startsWith('older') ? ", 'b'" : ''
    const given = name.startsWith('find') ? "'{a}'" : `'a', 1${caller}${older}`
    const { rows } = await single.query(`EXPLAIN EXECUTE "${name}" (${given})`)
    const plan = rows.map(row => row['QUERY PLAN']).join('\n')
    assert.match(plan, /Index Scan/)
    assert.doesNotMatch(plan, /Sort|Seq Scan/)
  }
})
