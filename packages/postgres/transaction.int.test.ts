import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { integrationEnvironment } from '@orderly/launcher/testing'
import type { Pool } from 'pg'
import { isTransientPostgresError } from './errors.ts'
import { checkDatabase, createPool, type PoolSettings } from './pool.ts'
import { inTransaction, readDecideWrite } from './transaction.ts'

async function setUp(t: TestContext, settings: Partial<PoolSettings> = {}) {
  const url = await integrationEnvironment().databaseURL()
  const open = (more: Partial<PoolSettings> = {}) => {
    const pool = createPool({
      url,
      maxConnections: 2,
      applicationName: 'under test',
      statementTimeoutMs: 5000,
      ...settings,
      ...more
    })
    t.after(() => pool.end())
    return pool
  }
  const pool = open()
  await pool.query('CREATE TABLE things (id integer PRIMARY KEY, amount bigint CHECK (amount >= 0))')
  return { pool, open }
}

const insert = (id: number, amount = 0) => ({
  name: 'insert',
  text: 'INSERT INTO things (id, amount) VALUES ($1, $2)',
  values: [id, amount]
})

const ids = async (pool: Pool) => (await pool.query('SELECT id FROM things ORDER BY id')).rows.map(({ id }) => id)

const terminate = (pool: Pool) =>
  pool.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name = 'under test' AND datname = current_database()`)

test('a transaction is committed when its work resolves and rolled back when it rejects', async t => {
  const { pool } = await setUp(t)
  assert.equal(await inTransaction(pool, async client => (await client.query(insert(1))).rowCount), 1)
  await assert.rejects(
    inTransaction(pool, async client => {
      await client.query(insert(2))
      throw new Error('changed my mind')
    }),
    /changed my mind/
  )
  assert.deepEqual(await ids(pool), [1])
})

test('a transaction with a swallowed error is reported as rolled back', async t => {
  const { pool } = await setUp(t)
  const running = inTransaction(pool, async client => {
    await client.query(insert(1))
    await client.query('SELECT nonsense').catch(() => {})
  })
  await assert.rejects(running, { code: 'TRANSACTION_ROLLED_BACK' })
  assert.deepEqual(await ids(pool), [])
})

test('a client that is still inside a transaction is not reused', async t => {
  const { pool } = await setUp(t, { maxConnections: 1 })
  await inTransaction(pool, async client => {
    await client.query(insert(1))
    await client.query('COMMIT')
    await client.query('BEGIN')
    await client.query(insert(2))
  })
  assert.equal((await pool.query('SELECT pg_current_xact_id_if_assigned() AS id')).rows[0].id, null)
  assert.deepEqual(await ids(pool), [1, 2])
})

test('readDecideWrite runs reads and writes in one transaction', async t => {
  const { pool } = await setUp(t)
  await pool.query(insert(1, 5))
  const read = { name: 'read', text: 'SELECT id, amount FROM things FOR UPDATE', values: [] }
  const result = await readDecideWrite(pool, [read, read], rows => ({ writes: [insert(2), insert(3)], result: rows }))
  assert.deepEqual(result, [[{ id: 1, amount: 5 }], [{ id: 1, amount: 5 }]])
  assert.deepEqual(await ids(pool), [1, 2, 3])
})

test('a failed write rolls back all writes sent with it and is reported with its error', async t => {
  const { pool } = await setUp(t, { maxConnections: 1 })
  const refused = (writes: object[]) =>
    readDecideWrite(pool, [], () => ({ writes: writes as ReturnType<typeof insert>[], result: undefined }))
  await assert.rejects(refused([insert(1), insert(2, -1), insert(3)]), { code: '23514' })
  await assert.rejects(refused([insert(1), insert(1), insert(3)]), { code: '23505', constraint: 'things_pkey' })
  assert.deepEqual(await ids(pool), [])
  await refused([insert(7)])
  assert.deepEqual(await ids(pool), [7])
})

test('if the decision throws, nothing is written and the locks are released', async t => {
  const { pool } = await setUp(t)
  await pool.query(insert(1))
  const lock = { name: 'lock', text: 'SELECT id FROM things FOR UPDATE', values: [] }
  const decide = () => {
    throw new RangeError('undecided')
  }
  await assert.rejects(readDecideWrite(pool, [lock], decide), RangeError)
  await inTransaction(pool, client => client.query('SELECT id FROM things FOR UPDATE NOWAIT'))
})

test('a connection that is lost inside a transaction causes a transient error and is replaced', async t => {
  const { pool, open } = await setUp(t, { maxConnections: 1 })
  const other = open({ applicationName: 'other' })
  const running = inTransaction(pool, async client => {
    await client.query(insert(1))
    await terminate(other)
    await client.query(insert(2))
  })
  await assert.rejects(running, isTransientPostgresError)
  assert.deepEqual(await ids(pool), [])
})

test('a connection that is lost while idle is reported and replaced', async t => {
  const { promise, resolve } = Promise.withResolvers<Error>()
  const { pool, open } = await setUp(t, { maxConnections: 1, onIdleError: resolve })
  await terminate(open({ applicationName: 'other' }))
  const error = await promise
  assert.equal(isTransientPostgresError(error), true)
  assert.equal('client' in error, false, 'the error contains no client')
  await checkDatabase(pool)
})

test('a transaction that is idle for longer than its timeout loses its locks', async t => {
  const { pool, open } = await setUp(t, { idleInTransactionTimeoutMs: 100 })
  await pool.query(insert(1))
  const other = open()
  const stopped = inTransaction(pool, async client => {
    await client.query('UPDATE things SET amount = 1')
    await other.query('UPDATE things SET amount = 2')
    await client.query('UPDATE things SET amount = 3')
  })
  await assert.rejects(stopped, isTransientPostgresError)
  assert.deepEqual((await pool.query('SELECT amount FROM things')).rows, [{ amount: 2 }])
})

test('a wait for a lock times out with a transient error', async t => {
  const { pool, open } = await setUp(t)
  await pool.query(insert(1))
  const impatient = open({ statementTimeoutMs: 100 })
  await inTransaction(pool, async client => {
    await client.query('UPDATE things SET amount = 1')
    await assert.rejects(impatient.query('UPDATE things SET amount = 2'), isTransientPostgresError)
  })
})

test('a server that is down or never answers causes a transient error in bounded time', async t => {
  const accepted: Socket[] = []
  const server = createServer(socket => accepted.push(socket)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const settings = { maxConnections: 1, applicationName: 'test', statementTimeoutMs: 100, connectTimeoutMs: 100 }
  const pool = createPool({ ...settings, url: `postgres://postgres@127.0.0.1:${port}/none` })
  t.after(() => pool.end())
  await assert.rejects(checkDatabase(pool), isTransientPostgresError)
  for (const socket of accepted) socket.destroy()
  await once(server.close(), 'close')
  await assert.rejects(checkDatabase(pool), isTransientPostgresError)
})

test('a bigint that a number cannot represent exactly is refused', async t => {
  const { pool } = await setUp(t)
  assert.deepEqual((await pool.query('SELECT 9007199254740991 AS big')).rows, [{ big: 9007199254740991 }])
  await assert.rejects(pool.query('SELECT 9007199254740993 AS big'), RangeError)
})

test('session settings apply to every connection', async t => {
  const { pool } = await setUp(t, { sessionSettings: { enable_seqscan: 'off', work_mem: '1234kB' } })
  const show = async (name: string) => (await pool.query(`SHOW ${name}`)).rows[0][name]
  assert.deepEqual([await show('enable_seqscan'), await show('work_mem')], ['off', '1234kB'])
})
