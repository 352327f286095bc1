import assert from 'node:assert/strict'
import { test } from 'node:test'
import { integrationEnvironment, startPostgresPair } from '@orderly/launcher/testing'
import { ownerRole } from '@orderly/postgres'
import { askTool, runTool } from '../testing/run-tool.ts'
import type { Finding } from './finding.ts'

test('every finding about Postgres goes away once its advice is followed', { timeout: 600_000 }, async t => {
  const { kafkaBrokers, registryURL } = integrationEnvironment()
  const pair = await startPostgresPair(t)
  const ask = async (...statements: string[]) => {
    for (const statement of statements) await pair.ask('primary', statement)
  }
  const reload = 'SELECT pg_reload_conf()'
  const addressOf = (url: string) => ({
    ...{ KAFKA_BROKERS: kafkaBrokers.join(','), SCHEMA_REGISTRY_URL: registryURL, DATABASE_URL: url },
    DATABASE_OWNER_URL: pair.urlOf(ownerRole)
  })
  const usual = pair.urlOf('orderly_operator')
  const diagnose = async (url = usual) => {
    const { findings } = await askTool<{ findings: Finding[] }>(addressOf(url), 'doctor')
    return findings.filter(({ about }) => about === 'postgres')
  }
  /** Returns the statement in the advice of the finding. */
  const advised = (findings: readonly Finding[], what: RegExp, statement: RegExp): string => {
    const found = findings.find(own => what.test(own.what))
    assert.ok(found, `${what} is not in ${JSON.stringify(findings, null, 1)}`)
    const [text] = statement.exec(found.todo) ?? []
    assert.ok(text, `${statement} is not advised: ${found.todo}`)
    return text
  }
  assert.deepEqual(await diagnose(), [])

  await t.test('settings of the server, of roles and of the database', async () => {
    await ask(
      ...['ALTER SYSTEM SET fsync = off', 'ALTER SYSTEM SET full_page_writes = off'],
      ...["ALTER SYSTEM SET synchronous_standby_names = ''", reload],
      "ALTER DATABASE orderly SET TimeZone = 'Asia/Tokyo'",
      'ALTER ROLE orderly_order SET synchronous_commit = local',
      'ALTER ROLE orderly_inventory IN DATABASE orderly SET synchronous_commit = local',
      "ALTER DATABASE orderly SET default_transaction_isolation = 'serializable'"
    )
    const found = await diagnose()
    advised(found, /^services cannot use it: default_transaction_isolation/, /set it to read committed/)
    advised(found, /standby is asynchronous/, /set synchronous_standby_names/)
    await ask(
      advised(found, /^fsync is off/, /ALTER SYSTEM SET fsync = on/),
      advised(found, /^full_page_writes is off/, /ALTER SYSTEM SET full_page_writes = on/),
      advised(found, /time zone is Asia/, /ALTER DATABASE orderly SET TimeZone = 'UTC'/),
      advised(found, /^the role orderly_order overrides/, /ALTER ROLE orderly_order RESET \w+/),
      advised(found, /^the role orderly_inventory overrides/, /ALTER ROLE \w+ IN DATABASE orderly RESET \w+/),
      advised(found, /^the database overrides/, /ALTER DATABASE orderly RESET \w+/),
      ...["ALTER SYSTEM SET synchronous_standby_names = 'standby'", reload]
    )
    assert.deepEqual(await diagnose(), [])
  })

  await t.test('a synchronous standby that is absent', async () => {
    await ask("ALTER SYSTEM SET synchronous_standby_names = 'absent'", reload)
    const found = await diagnose()
    advised(found, /every commit waits for a synchronous standby/, /change synchronous_standby_names/)
    await ask("ALTER SYSTEM SET synchronous_standby_names = 'standby'", reload)
    assert.deepEqual(await diagnose(), [])
  })

  await t.test('a schema that is missing', async () => {
    await ask('DROP SCHEMA aggregator CASCADE')
    assert.equal(advised(await diagnose(), /^the schema aggregator /, /`orderly migrate`/), '`orderly migrate`')
    const { code, stderr } = await runTool(addressOf(usual), 'migrate')
    assert.equal(code, 0, stderr)
    assert.deepEqual(await diagnose(), [])
  })

  await t.test('an address of a superuser, and of a database with another encoding', async () => {
    await ask("CREATE DATABASE ascii TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'")
    const ascii = new URL(usual)
    ascii.pathname = '/ascii'
    advised(await diagnose(ascii.href), /^its encoding is SQL_ASCII/, /create a new database with ENCODING UTF8/)
    await ask("CREATE ROLE admin SUPERUSER LOGIN PASSWORD 'admin'")
    const admin = Object.assign(new URL(usual), { username: 'admin', password: 'admin' })
    advised(await diagnose(admin.href), /superuser/, /use the role orderly_operator/)
    assert.deepEqual(await diagnose(), [])
  })
})
