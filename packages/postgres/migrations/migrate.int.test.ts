import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { integrationEnvironment } from '@orderly/stack/testing'
import { createPool } from '../pool.ts'
import { migrate } from './migrate.ts'

async function setUp(t: TestContext, files: Record<string, string>) {
  const directory = await mkdtemp(join(tmpdir(), 'migrations-'))
  t.after(() => rm(directory, { recursive: true }))
  const write = async (more: Record<string, string>) => {
    for (const [name, sql] of Object.entries(more)) await writeFile(join(directory, name), sql)
  }
  await write(files)
  const warnings: string[] = []
  const logger = { info: () => {}, warn: (_fields: object, message: string) => warnings.push(message) }
  const url = await integrationEnvironment().databaseURL()
  const pool = createPool({ url, maxConnections: 5, applicationName: 'test', statementTimeoutMs: 5000 })
  t.after(() => pool.end())
  return { pool, write, warnings, run: () => migrate(pool, { schema: 'shop', directory, logger }) }
}

const createTable = { '0001_things.sql': 'CREATE TABLE shop.things (id integer);\nINSERT INTO shop.things VALUES (1);' }

test('files run once, in order, and new ones later', async t => {
  const { pool, run, write } = await setUp(t, createTable)
  await run()
  await run()
  await write({ '0002_more.sql': 'INSERT INTO shop.things VALUES (2)' })
  await run()
  assert.deepEqual((await pool.query('SELECT id FROM shop.things ORDER BY id')).rows, [{ id: 1 }, { id: 2 }])
})

test('instances that start together run each file once', async t => {
  const { pool, run } = await setUp(t, createTable)
  await Promise.all([run(), run(), run(), run()])
  assert.deepEqual((await pool.query('SELECT id FROM shop.things')).rows, [{ id: 1 }])
})

test('a file that fails leaves nothing behind and is named', async t => {
  const { pool, run, write } = await setUp(t, createTable)
  await write({ '0002_broken.sql': 'CREATE TABLE shop.half (id integer); SELECT nonsense' })
  await assert.rejects(run(), { code: 'MIGRATION_FAILED', message: /^0002_broken\.sql failed: .*nonsense/ })
  assert.equal((await pool.query("SELECT to_regnamespace('shop') AS schema")).rows[0].schema, null)
})

test('a file changed after it ran stops the start', async t => {
  const { run, write } = await setUp(t, createTable)
  await run()
  await write({ '0001_things.sql': 'CREATE TABLE shop.other (id integer)' })
  await assert.rejects(run(), { code: 'MIGRATION_CHANGED' })
})

test('an older program starts on a newer database and warns', async t => {
  const { pool, run, warnings } = await setUp(t, createTable)
  await run()
  await pool.query("INSERT INTO shop.migrations (number, name, checksum) VALUES (2, '0002_future.sql', 'x')")
  await run()
  assert.deepEqual(warnings, ['the database is newer than this program'])
})
