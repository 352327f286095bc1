import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { freePort, waitUntil } from '@orderly/launcher'
import { integrationEnvironment, programsOrSkip } from '@orderly/launcher/testing'
import pg from 'pg'
import { createPool } from './pool.ts'
import { inTransaction } from './transaction.ts'

/** Starts a PgBouncer in front of a new database. @returns the address through PgBouncer */
async function startPgBouncer(t: TestContext, program: string, lines: readonly string[]): Promise<string> {
  const target = new URL(await integrationEnvironment().databaseURL())
  const directory = await mkdtemp(join(tmpdir(), 'pgbouncer-'))
  t.after(() => rm(directory, { recursive: true }))
  const port = await freePort()
  const { hostname, port: targetPort, pathname, username, password } = target
  const file = join(directory, 'pgbouncer.ini')
  const settings = [
    '[databases]',
    `${pathname.slice(1)} = host=${hostname} port=${targetPort} user=${username} password='${decodeURIComponent(password)}'`,
    '[pgbouncer]',
    'listen_addr = 127.0.0.1',
    `listen_port = ${port}`,
    'unix_socket_dir =',
    'auth_type = any',
    ...lines
  ]
  await writeFile(file, `${settings.join('\n')}\n`, { mode: 0o600 })
  const user = process.getuid?.() === 0 ? await idsOf('nobody') : undefined
  if (user !== undefined) for (const path of [directory, file]) await chown(path, user.uid, user.gid)
  await chmod(directory, 0o700)
  const child = spawn(program, [file], { stdio: 'ignore', cwd: '/', ...user })
  t.after(() => child.kill('SIGKILL'))
  target.port = String(port)
  const answers = async () => {
    const client = new pg.Client({ connectionString: target.href })
    await client.connect()
    await client.end()
    return true
  }
  await waitUntil(answers, { what: 'an answer of PgBouncer', deadlineMs: 60_000 })
  return target.href
}

async function idsOf(user: string): Promise<{ uid: number; gid: number }> {
  const id = async (flag: string) => Number((await promisify(execFile)('id', [flag, user])).stdout)
  return { uid: await id('-u'), gid: await id('-g') }
}

const settings = { maxConnections: 4, applicationName: 'under test', statementTimeoutMs: 5_000 }
const refusal = {
  code: 'SESSION_REFUSED',
  message: /^the database is behind a pooler that does not keep a session .*use session mode/
}

for (const lines of [
  ['pool_mode = transaction'],
  ['pool_mode = transaction', 'server_round_robin = 1'],
  ['pool_mode = statement']
]) {
  test(`PgBouncer with ${lines.join(', ')} is refused with the fix`, async t => {
    const programs = programsOrSkip(t, 'pgbouncer')
    if (programs === undefined) return
    const pool = createPool({ ...settings, url: await startPgBouncer(t, programs.pgbouncer, lines) })
    t.after(() => pool.end())
    await assert.rejects(pool.query('SELECT 1'), refusal)
    await assert.rejects(
      inTransaction(pool, client => client.query('SELECT 1')),
      refusal
    )
  })
}

test('PgBouncer in session mode supports session settings and prepared statements', async t => {
  const programs = programsOrSkip(t, 'pgbouncer')
  if (programs === undefined) return
  const url = await startPgBouncer(t, programs.pgbouncer, ['pool_mode = session'])
  const pool = createPool({ ...settings, url, sessionSettings: { enable_seqscan: 'off' } })
  t.after(() => pool.end())
  const shown = { name: 'show', text: "SELECT current_setting('enable_seqscan') AS value", values: [] }
  for (let round = 0; round < 3; round++) {
    const answers = await Promise.all([1, 2, 3, 4].map(() => inTransaction(pool, client => client.query(shown))))
    assert.deepEqual(new Set(answers.map(({ rows }) => rows[0].value)), new Set(['off']))
  }
})
