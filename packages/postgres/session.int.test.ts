import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { integrationEnvironment } from '@orderly/launcher/testing'
import type { Pool } from 'pg'
import { isTransientPostgresError } from './errors.ts'
import { createPool, createWriteCheck } from './pool.ts'
import { inTransaction } from './transaction.ts'

const { databaseURL, asSuperuser } = integrationEnvironment()

async function setUp(t: TestContext, options = '') {
  const url = await databaseURL()
  const database = new URL(url).pathname.slice(1)
  const address = new URL(url)
  if (options !== '') address.searchParams.set('options', options)
  const open = () => {
    const pool = createPool({
      ...{ url: address.href, maxConnections: 1, applicationName: 'under test', statementTimeoutMs: 5_000 },
      sessionSettings: { enable_seqscan: 'off' }
    })
    t.after(() => pool.end())
    return pool
  }
  const show = async (pool: Pool, name: string) => Object.values((await pool.query(`SHOW ${name}`)).rows[0])[0]
  return { url, open, show, alter: (what: string) => asSuperuser(url, `ALTER DATABASE ${database} SET ${what}`) }
}

for (const value of ['off', 'local', 'remote_write']) {
  test(`a session with synchronous_commit = ${value} is refused with the source of the setting`, async t => {
    const { open, alter } = await setUp(t)
    await alter(`synchronous_commit = ${value}`)
    const message = new RegExp(
      `^synchronous_commit is ${value} \\(by ALTER DATABASE\\), .*: set it to on or remote_apply$`
    )
    await assert.rejects(open().query('SELECT'), { code: 'SESSION_REFUSED', exitCode: 78, retryable: true, message })
    const other = await setUp(t, `-c synchronous_commit=${value}`)
    await assert.rejects(other.open().query('SELECT'), { message: /\(by options in the address of the database\)/ })
  })
}

test('a stronger synchronous_commit is accepted and kept', async t => {
  const { open, show, alter } = await setUp(t)
  assert.equal(await show(open(), 'synchronous_commit'), 'on')
  await alter('synchronous_commit = remote_apply')
  assert.equal(await show(open(), 'synchronous_commit'), 'remote_apply')
})

test('a default isolation other than READ COMMITTED is refused', async t => {
  const { open, alter } = await setUp(t)
  await alter("default_transaction_isolation = 'repeatable read'")
  const message = /^default_transaction_isolation is repeatable read: set it to read committed/
  await assert.rejects(open().query('SELECT'), { code: 'SESSION_REFUSED', message })
})

test('options in the address do not override settings of the pool, and other options apply', async t => {
  const options =
    '-c statement_timeout=0 -c enable_seqscan=on -c TimeZone=Asia/Tokyo -c DateStyle=German -c work_mem=1234kB'
  const { open, show } = await setUp(t, options)
  const pool = open()
  const names = ['statement_timeout', 'enable_seqscan', 'TimeZone', 'DateStyle', 'work_mem']
  const values = await Promise.all(names.map(name => show(pool, name)))
  assert.deepEqual(values, ['5s', 'off', 'UTC', 'ISO, MDY', '1234kB'])
})

test('a read-only database is refused with a transient error until it accepts writes', async t => {
  const { url, open, alter } = await setUp(t)
  const pool = open()
  await alter('default_transaction_read_only = on')
  await assert.rejects(pool.query('SELECT'), error => {
    assert.match((error as Error).message, /^the database is read-only: connect to the primary/)
    return isTransientPostgresError(error)
  })
  await asSuperuser(url, `BEGIN READ WRITE; ALTER DATABASE ${new URL(url).pathname.slice(1)} RESET ALL; COMMIT`)
  await pool.query('SELECT')
})

const insert = { name: 'insert', text: 'INSERT INTO things (amount) VALUES ($1) RETURNING *', values: [1] }

test('a session that became read-only is closed, and the next transaction gets a new one', async t => {
  const { open } = await setUp(t)
  const pool = open()
  await pool.query('CREATE TABLE things (amount integer)')
  await inTransaction(pool, client => client.query('SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY'))
  await assert.rejects(
    inTransaction(pool, client => client.query(insert)),
    error => {
      assert.equal((error as { code: string }).code, '25006')
      return isTransientPostgresError(error)
    }
  )
  await inTransaction(pool, client => client.query(insert))
})

test('a session with stale plans of a changed table is closed, independent of the message language', async t => {
  const { open } = await setUp(t)
  const pool = open()
  await pool.query('CREATE TABLE things (amount integer)')
  await inTransaction(pool, client => client.query(insert))
  await inTransaction(pool, client => client.query('ALTER TABLE things ALTER COLUMN amount TYPE bigint'))
  await assert.rejects(
    inTransaction(pool, client => client.query(insert)),
    error => {
      assert.equal((error as { code: string }).code, '0A000')
      return isTransientPostgresError(error)
    }
  )
  await inTransaction(pool, client => client.query(insert))
})

test('a session that lost its prepared statements is closed', async t => {
  const { open } = await setUp(t)
  const pool = open()
  await pool.query('CREATE TABLE things (amount integer)')
  await inTransaction(pool, client => client.query(insert))
  await inTransaction(pool, client => client.query('DEALLOCATE ALL'))
  await assert.rejects(
    inTransaction(pool, client => client.query(insert)),
    error => {
      assert.equal((error as { code: string }).code, '26000')
      return isTransientPostgresError(error)
    }
  )
  await inTransaction(pool, client => client.query(insert))
})

test('the write check writes, and trusts a successful write for a while', async t => {
  const { url, open } = await setUp(t)
  const pool = open()
  const positions = async () => (await asSuperuser(url, 'SELECT pg_current_wal_insert_lsn()::text AS lsn'))[0]?.lsn
  const check = createWriteCheck(pool, 60_000)
  const before = await positions()
  assert.equal(await check(), true)
  assert.notEqual(await positions(), before)
  await pool.query('SET default_transaction_read_only = on')
  assert.equal(await check(), true, 'the earlier write is still trusted')
  assert.equal(await createWriteCheck(pool)(), false)
})
