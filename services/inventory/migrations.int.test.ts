import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { integrationEnvironment } from '@orderly/launcher/testing'
import { createPool } from '@orderly/postgres'

const main = new URL('main.ts', import.meta.url).pathname
const { kafkaBrokers, registryURL, databaseURL, databaseURLAs } = integrationEnvironment()

interface Line {
  readonly msg: string
  readonly event?: string
  readonly address?: string
  readonly error?: { readonly message: string }
}

/** Starts the service and observes its log from the beginning. */
function start(
  t: TestContext,
  env: Record<string, string>
): { child: ChildProcess; logged(name: string): Promise<Line> } {
  const child = spawn(process.execPath, [main], {
    env: {
      ...{ PATH: process.env.PATH, HTTP_PORT: '0', INSTANCE_ID: 'one', API_KEYS: 'off' },
      ...{ KAFKA_BROKERS: kafkaBrokers.join(','), SCHEMA_REGISTRY_URL: registryURL, ...env }
    },
    stdio: ['ignore', 'pipe', 'inherit']
  })
  t.after(() => child.kill('SIGKILL'))
  const lines: Line[] = []
  const reader = createInterface(child.stdout as NodeJS.ReadableStream)
  reader.on('line', line => void (line.startsWith('{') && lines.push(JSON.parse(line))))
  return {
    child,
    /** Resolves with the first line with this event or, for lifecycle lines, this message. */
    async logged(name) {
      const deadline = AbortSignal.timeout(120_000)
      for (;;) {
        const found = lines.find(({ event, msg }) => event === name || msg === name)
        if (found !== undefined) return found
        await once(reader, 'line', { signal: deadline })
      }
    }
  }
}

/** Creates a database without the schema of the inventory. */
async function outdatedDatabase(t: TestContext) {
  const url = await databaseURL()
  const pool = createPool({ url, maxConnections: 2, applicationName: 'test', statementTimeoutMs: 10_000 })
  t.after(() => pool.end())
  await pool.query('DROP SCHEMA inventory CASCADE')
  return { url, pool }
}

test('the service is live but not ready while it waits for a migration, and serves requests afterwards', {
  timeout: 300_000
}, async t => {
  const { url, pool } = await outdatedDatabase(t)
  const other = await pool.connect()
  await other.query("SELECT pg_advisory_lock(hashtextextended('migrations of inventory', 0))")
  const { logged } = start(t, { DATABASE_URL: url })
  await logged('migration_waiting')
  const { address } = await logged('starting')
  const status = async (path: string) => (await fetch(`${address}${path}`)).status
  assert.deepEqual([await status('/health/live'), await status('/health/ready')], [200, 503])
  other.release(true)
  await logged('listening')
  const report = (await (await fetch(`${address}/health/ready`)).json()) as { checks: Record<string, string> }
  assert.equal(report.checks.database, 'ok')
  assert.deepEqual([await status('/health/live'), await status('/stock/NOPE')], [200, 404])
})

test('in prod the service refuses an outdated schema and exits with code 78', { timeout: 300_000 }, async t => {
  const { url } = await outdatedDatabase(t)
  const database = databaseURLAs('orderly_inventory', url)
  const { child, logged } = start(t, { ORDERLY_PROFILE: 'prod', DATABASE_URL: database })
  const exit = once(child, 'exit')
  const { error } = await logged('service_failed')
  assert.match(error?.message ?? '', /^the schema inventory .*0001_.*\.sql has not run.*: run `orderly migrate`/)
  assert.deepEqual(await exit, [78, null])
})
