import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { integrationEnvironment } from '@orderly/launcher/testing'
import type { Pool } from 'pg'
import { createPool } from '../pool.ts'
import { type MigrationOptions, migrate } from './migrate.ts'
import { requireSchema } from './require-schema.ts'

type Entry = Readonly<Record<string, unknown>> & { readonly message: string }

async function setUp(t: TestContext, files: Record<string, string>) {
  const directory = await mkdtemp(join(tmpdir(), 'migrations-'))
  t.after(() => rm(directory, { recursive: true }))
  const write = async (more: Record<string, string>) => {
    for (const [name, sql] of Object.entries(more)) await writeFile(join(directory, name), sql)
  }
  await write(files)
  const entries: Entry[] = []
  const log = (fields: object, message: string) => void entries.push({ ...fields, message })
  const logger = { info: log, warn: log }
  const { databaseURL, databaseURLAs } = integrationEnvironment()
  const url = await databaseURL()
  const open = (address = url, statementTimeoutMs = 5_000) => {
    const pool = createPool({ url: address, maxConnections: 5, applicationName: 'test', statementTimeoutMs })
    t.after(() => pool.end())
    return pool
  }
  const pool = open()
  const schema = { schema: 'shop', directory, grants: { orderly_inventory: { things: 'SELECT' } } }
  return {
    pool,
    write,
    entries,
    schema,
    logger,
    open,
    asInventory: () => open(databaseURLAs('orderly_inventory', url)),
    events: () => entries.flatMap(({ event }) => (event === undefined ? [] : [event])),
    run: (options: Partial<MigrationOptions> = {}) => migrate(pool, schema, { logger, ...options })
  }
}

const createTable = { '0001_things.sql': 'CREATE TABLE shop.things (id integer);\nINSERT INTO shop.things VALUES (1);' }

test('files run once and in order, and files added later run afterwards', async t => {
  const { pool, run, write, entries } = await setUp(t, createTable)
  await run()
  await run()
  await write({ '0002_more.sql': 'INSERT INTO shop.things VALUES (2)' })
  await run()
  assert.deepEqual((await pool.query('SELECT id FROM shop.things ORDER BY id')).rows, [{ id: 1 }, { id: 2 }])
  const steps = entries.filter(({ migration }) => migration !== undefined)
  assert.deepEqual(
    steps.map(({ migration, message }) => [migration, message]),
    ['0001_things.sql', '0002_more.sql'].flatMap(name => [
      [name, 'migration started'],
      [name, 'migration finished']
    ])
  )
})

test('concurrent migrations run each file once, including files without a transaction', async t => {
  const { pool, run, write } = await setUp(t, createTable)
  await write({
    '0002_index.sql': '-- no transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS things_by_id ON shop.things (id)'
  })
  await Promise.all([run(), run(), run(), run()])
  assert.deepEqual((await pool.query('SELECT id FROM shop.things')).rows, [{ id: 1 }])
  assert.equal((await pool.query('SELECT count(*) AS count FROM shop.migrations')).rows[0].count, 2)
})

test('a failed file is rolled back and named in the error, and earlier files stay applied', async t => {
  const { pool, run, write } = await setUp(t, createTable)
  await write({ '0002_broken.sql': 'CREATE TABLE shop.half (id integer); SELECT nonsense' })
  await assert.rejects(run(), { code: 'MIGRATION_FAILED', message: /^0002_broken\.sql failed: .*nonsense/ })
  assert.equal((await pool.query("SELECT to_regclass('shop.half') AS half")).rows[0].half, null)
  await write({ '0002_broken.sql': 'CREATE TABLE shop.half (id integer)' })
  await run()
  assert.deepEqual((await pool.query('SELECT id FROM shop.things')).rows, [{ id: 1 }])
})

test('a file changed after it ran is refused', async t => {
  const { run, write } = await setUp(t, createTable)
  await run()
  await write({ '0001_things.sql': 'CREATE TABLE shop.other (id integer)' })
  await assert.rejects(run(), { code: 'MIGRATION_CHANGED' })
})

test('an older program accepts a newer database and logs a warning', async t => {
  const { pool, run, events, schema, logger } = await setUp(t, createTable)
  await run()
  await pool.query("INSERT INTO shop.migrations (number, name, checksum) VALUES (2, '0002_future.sql', 'x')")
  await run()
  await requireSchema(pool, schema, { mayMigrate: false, logger })
  assert.deepEqual(events(), ['database_newer', 'database_newer'])
})

/** Holds a reader's lock on the table, like a long report. */
async function readForLong(pool: Pool): Promise<() => Promise<void>> {
  const reader = await pool.connect()
  await reader.query('BEGIN; SELECT FROM shop.things')
  return async () => {
    await reader.query('COMMIT')
    reader.release()
  }
}

const addColumn = { '0002_column.sql': 'ALTER TABLE shop.things ADD COLUMN name text' }

test('a migration that waits for a lock yields to others and finishes when the lock is free', async t => {
  const { pool, run, write, events } = await setUp(t, createTable)
  await run()
  await write(addColumn)
  const finishReading = await readForLong(pool)
  const migrating = run({ lockTimeoutMs: 100 })
  migrating.catch(() => {})
  // Each query waits behind the migration and proceeds when the migration yields.
  const waits = () => events().filter(event => event === 'migration_waits').length
  while (waits() < 2) await pool.query('SELECT FROM shop.things')
  await finishReading()
  await migrating
  assert.deepEqual((await pool.query('SELECT name FROM shop.things')).rows, [{ name: null }])
})

test('a migration that does not get its lock in time fails and names the blocking sessions', async t => {
  const { pool, run, write } = await setUp(t, createTable)
  await run()
  await write(addColumn)
  const finishReading = await readForLong(pool)
  const message =
    /^0002_column\.sql did not get its locks within 1\.5 s: end the sessions that hold them \(pid \d+ orderly_owner test\)/
  await assert.rejects(run({ lockTimeoutMs: 2_000, lockPatienceMs: 1_500 }), { code: 'MIGRATION_FAILED', message })
  await finishReading()
  await run()
})

test('a constraint that was added NOT VALID is validated during an open transaction of a writer', async t => {
  const { pool, run, write } = await setUp(t, createTable)
  await write({ '0002_check.sql': 'ALTER TABLE shop.things ADD CONSTRAINT positive CHECK (id > 0) NOT VALID' })
  await run()
  await assert.rejects(pool.query('INSERT INTO shop.things VALUES (-1)'), { constraint: 'positive' })
  await write({ '0003_validate.sql': 'ALTER TABLE shop.things VALIDATE CONSTRAINT positive' })
  const writer = await pool.connect()
  try {
    await writer.query('BEGIN; INSERT INTO shop.things VALUES (2)')
    await run({ lockPatienceMs: 0 })
    await writer.query('COMMIT')
  } finally {
    writer.release()
  }
  const { rows } = await pool.query("SELECT convalidated FROM pg_constraint WHERE conname = 'positive'")
  assert.deepEqual(rows, [{ convalidated: true }])
})

test('an index is built while writers continue, and an invalid index of an interrupted build is replaced', async t => {
  const { pool, run, write, events } = await setUp(t, createTable)
  await run()
  await pool.query('INSERT INTO shop.things VALUES (1)')
  await write({
    '0002_index.sql':
      '-- no transaction\nCREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS things_once ON shop.things (id);\n'
  })
  await assert.rejects(run(), { code: 'MIGRATION_FAILED', message: /^0002_index\.sql failed: could not create unique/ })
  const isValid = async () =>
    (await pool.query("SELECT indisvalid FROM pg_index WHERE indexrelid = 'shop.things_once'::regclass")).rows[0]
      .indisvalid
  assert.equal(await isValid(), false, 'the interrupted build left an invalid index')
  await pool.query('DELETE FROM shop.things')
  // A writer's transaction is open when the build starts.
  const writer = await pool.connect()
  await writer.query('BEGIN; INSERT INTO shop.things VALUES (2)')
  const migrating = run()
  await pool.query('INSERT INTO shop.things VALUES (3)')
  await writer.query('COMMIT')
  writer.release()
  await migrating
  assert.equal(await isValid(), true)
  assert.deepEqual(events(), ['invalid_index_removed'])
})

test('a migration may take longer than the statement timeout of the pool', async t => {
  const { run, write, open, schema, logger } = await setUp(t, createTable)
  await run()
  await write({ '0002_slow.sql': 'SELECT pg_sleep(3)' })
  await migrate(open(undefined, 200), schema, { logger })
})

test('each migration sets the privileges of roles to the declared ones', async t => {
  const { pool, run, schema, asInventory, logger } = await setUp(t, createTable)
  await run()
  const inventory = asInventory()
  await inventory.query('SELECT FROM shop.things')
  await assert.rejects(inventory.query('DELETE FROM shop.things'), { code: '42501' })
  await pool.query('GRANT ALL ON shop.things TO orderly_inventory, orderly_order')
  await inventory.query('DELETE FROM shop.things')
  await run()
  await assert.rejects(inventory.query('DELETE FROM shop.things'), { code: '42501' })
  await migrate(pool, { ...schema, grants: {} }, { logger })
  await assert.rejects(inventory.query('SELECT FROM shop.things'), { code: '42501' })
})

test('an outdated schema is migrated if the program may do so, and refused with the fix otherwise', async t => {
  const { pool, run, write, schema, logger, asInventory } = await setUp(t, createTable)
  const refusal = (why: RegExp) => ({
    ...{ code: 'SCHEMA_OUTDATED', exitCode: 78 },
    message: new RegExp(`^the schema shop .*${why.source}.*run \`orderly migrate\``)
  })
  const mayNot = { mayMigrate: false, logger }
  await assert.rejects(requireSchema(pool, schema, mayNot), refusal(/0001_things\.sql has not run/))
  await run()
  await requireSchema(asInventory(), schema, mayNot)
  await write(addColumn)
  await assert.rejects(requireSchema(asInventory(), schema, mayNot), refusal(/0002_column\.sql has not run/))
  await assert.rejects(
    requireSchema(asInventory(), schema, { ...mayNot, mayMigrate: true }),
    refusal(/may not use or migrate/)
  )
  await requireSchema(pool, schema, { ...mayNot, mayMigrate: true })
  await requireSchema(asInventory(), schema, mayNot)
})
