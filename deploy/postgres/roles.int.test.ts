import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { apiKeysCommandLine, createApiKeyStore, runApiKeys } from '@orderly/callers'
import { parseCommandLine } from '@orderly/command-line'
import { integrationEnvironment } from '@orderly/launcher/testing'
import { createPool, type DatabaseRole, databaseRoles } from '@orderly/postgres'
import { databaseSchemas, setUpRoles } from './schemas.ts'

/**
 * A database as the launcher, Compose and an administrator set it up: `roles.sql`, then `orderly
 * migrate`.
 */
const { databaseURL, databaseURLAs, superuserURL, asSuperuser } = integrationEnvironment()
const url = await databaseURL()
const settings = { maxConnections: 1, applicationName: 'roles-test', statementTimeoutMs: 10_000 }
const pools = new Map(
  databaseRoles.map(role => [role, createPool({ ...settings, url: databaseURLAs(role, url) })] as const)
)
after(() => Promise.all([...pools.values()].map(pool => pool.end())))

const runtimeRoles = databaseRoles.filter(role => role !== 'orderly_owner')
const as = (role: DatabaseRole, statement: string) =>
  (pools.get(role) as ReturnType<typeof createPool>).query(statement)
const denied = { code: '42501' }

test('each role has exactly the privileges on each table that its schema declares', async () => {
  const tables = await as(
    'orderly_owner',
    `SELECT schemaname, tablename, tableowner FROM pg_tables
      WHERE schemaname NOT IN ('pg_catalog', 'information_schema', 'public')`
  )
  assert.ok(tables.rows.length > 15)
  for (const { schemaname, tablename, tableowner } of tables.rows) {
    assert.equal(tableowner, 'orderly_owner', `${schemaname}.${tablename}`)
    const declared = databaseSchemas.find(({ schema }) => schema === schemaname)?.grants ?? {}
    for (const role of runtimeRoles) {
      const { rows } = await as(
        role,
        `SELECT privilege FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER', 'MAINTAIN'])
          AS privilege WHERE has_table_privilege('${schemaname}.${tablename}'::regclass, privilege)`
      ).catch(error => {
        assert.equal(error.code, '42501', 'the role cannot use the schema')
        return { rows: [] }
      })
      const own = declared[role]
      const wanted = tablename === 'migrations' && own !== undefined ? 'SELECT' : own?.[tablename]
      assert.deepEqual(
        rows.map(({ privilege }) => privilege),
        wanted?.split(', ') ?? [],
        `${role} on ${schemaname}.${tablename}`
      )
    }
  }
})

test('every table is used by some role', async () => {
  for (const { schema, grants = {} } of databaseSchemas) {
    const { rows } = await as('orderly_owner', `SELECT tablename FROM pg_tables WHERE schemaname = '${schema}'`)
    const granted = new Set(Object.values(grants).flatMap(objects => Object.keys(objects)))
    for (const { tablename } of rows) {
      assert.ok(granted.has(tablename) || tablename === 'migrations', `no role may use ${schema}.${tablename}`)
    }
  }
})

test('no role can administer the server, become another role, or own a table of the services', async () => {
  const attributes = await as(
    'orderly_operator',
    `SELECT rolname FROM pg_roles WHERE rolname LIKE 'orderly%'
      AND (rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls)`
  )
  assert.deepEqual(attributes.rows, [])
  for (const role of runtimeRoles) {
    for (const statement of [
      'CREATE SCHEMA mine',
      'CREATE TABLE public.mine (id integer)',
      'CREATE ROLE mine',
      `CREATE TABLE inventory.mine (id integer)`,
      'DROP TABLE inventory.stock',
      'ALTER TABLE inventory.outcomes DISABLE TRIGGER ALL',
      'TRUNCATE inventory.stock',
      'SET ROLE orderly_owner',
      'ALTER DATABASE postgres SET synchronous_commit = off',
      "ALTER SYSTEM SET fsync = 'off'",
      "COPY (SELECT 1) TO PROGRAM 'id'",
      "COPY (SELECT 1) TO '/tmp/orderly-was-here'",
      "SELECT pg_read_file('postgresql.conf')",
      'SELECT rolpassword FROM pg_authid'
    ]) {
      await assert.rejects(as(role, statement), ({ code }) => code === '42501', `${role}: ${statement}`)
    }
  }
})

test('a compromised order service cannot create an API key, read the stock or change an outcome', async () => {
  for (const role of ['orderly_order', 'orderly_inventory', 'orderly_aggregator'] as const) {
    await as(role, 'SELECT FROM callers.api_keys')
    await assert.rejects(as(role, "INSERT INTO callers.callers (name, role) VALUES ('thief', 'operator')"), denied)
    await assert.rejects(as(role, 'UPDATE callers.api_keys SET revoked_at = NULL'), denied)
  }
  await assert.rejects(as('orderly_notification', 'SELECT FROM callers.api_keys'), denied)
  await assert.rejects(as('orderly_order', 'SELECT FROM inventory.stock'), denied)
  await assert.rejects(as('orderly_inventory', "UPDATE inventory.outcomes SET kind = 'reserved'"), denied)
  await assert.rejects(as('orderly_inventory', 'DELETE FROM inventory.stock_movements'), denied)
  await assert.rejects(as('orderly_notification', 'SELECT FROM orders.orders'), denied)
})

test('operators can manage API keys and read tables, but cannot change stock', async () => {
  const pool = pools.get('orderly_operator') as ReturnType<typeof createPool>
  const printed: string[] = []
  const output = { out: (text: string) => void printed.push(text), note: () => {} }
  for (const line of ['create --name berlin --role shop', 'revoke --name berlin']) {
    await runApiKeys(parseCommandLine(apiKeysCommandLine, line.split(' ')), createApiKeyStore(pool), output)
  }
  assert.equal(printed.length, 2)
  await as('orderly_operator', 'SELECT FROM inventory.stock')
  await assert.rejects(as('orderly_operator', 'UPDATE inventory.stock SET available = 1'), denied)
})

test('the sink of Kafka Connect can create audit tables and read nothing else; operators can read them', async () => {
  await as('orderly_connect', 'CREATE TABLE audit.orders_created (record_offset bigint PRIMARY KEY)')
  await as('orderly_connect', 'ALTER TABLE audit.orders_created ADD COLUMN caller text')
  await as('orderly_connect', 'INSERT INTO audit.orders_created VALUES (1)')
  assert.equal((await as('orderly_operator', 'SELECT FROM audit.orders_created')).rowCount, 1)
  await assert.rejects(as('orderly_operator', 'DELETE FROM audit.orders_created'), denied)
  for (const table of ['orders.orders', 'inventory.stock', 'callers.api_keys', 'notification.targets']) {
    await assert.rejects(as('orderly_connect', `SELECT FROM ${table}`), denied)
    await assert.rejects(as('orderly_monitor', `SELECT FROM ${table}`), denied)
  }
  for (const role of ['orderly_monitor', 'orderly_order', 'orderly_inventory'] as const) {
    await assert.rejects(as(role, 'SELECT FROM audit.orders_created'), denied)
  }
})

test('a role that does not belong to Orderly cannot connect to its database', async () => {
  await asSuperuser(url, "CREATE ROLE passer_by LOGIN PASSWORD 'known'").catch(error =>
    assert.equal(error.code, '42710')
  )
  const address = new URL(url)
  address.username = 'passer_by'
  address.password = 'known'
  const pool = createPool({ ...settings, url: address.href })
  try {
    await assert.rejects(pool.query('SELECT'), denied)
  } finally {
    await pool.end()
  }
})

test('roles.sql changes nothing when it runs again, and needs no superuser', async () => {
  const acls = () => asSuperuser(url, 'SELECT datacl::text FROM pg_database WHERE datname = current_database()')
  const before = await acls()
  await setUpRoles(superuserURL(url))
  assert.deepEqual(await acls(), before)

  const name = new URL(await databaseURL()).pathname.slice(1)
  await asSuperuser(
    url,
    `CREATE ROLE ${name} LOGIN CREATEROLE PASSWORD 'known';
      GRANT ${[...databaseRoles, 'orderly_registry'].join(', ')} TO ${name} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE;
      ALTER DATABASE ${name} OWNER TO ${name}`
  )
  await asSuperuser(new URL(`/${name}`, url).href, `ALTER SCHEMA public OWNER TO ${name}; DROP SCHEMA registry`)
  const address = new URL(`/${name}`, url)
  address.username = name
  address.password = 'known'
  await setUpRoles(address.href)
  const owner = "SELECT nspowner::regrole::text AS owner FROM pg_namespace WHERE nspname = 'registry'"
  assert.deepEqual(await asSuperuser(address.href, owner), [{ owner: 'orderly_registry' }])
})
