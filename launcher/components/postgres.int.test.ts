import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { chmod, cp, mkdir, mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { databaseRoles } from '@orderly/postgres'
import { freePort } from '../processes/ports.ts'
import { superviseRun } from '../testing/supervised-run.ts'
import { UserError } from '../user-error.ts'
import { startPostgres } from './postgres.ts'
import { findPostgresBinaries } from './postgres-binaries.ts'
import { credentialsFileOf } from './postgres-credentials.ts'
import { query } from './postgres-database.ts'
import { planPostgresHome } from './postgres-user.ts'

const isRoot = process.getuid?.() === 0 && process.platform === 'linux'

async function setUp(t: TestContext, dataDirectory?: string) {
  const { directories, supervisor } = superviseRun(t, 'test')
  const options = {
    ...{ supervisor, dataDirectory: dataDirectory ?? join(directories.data, 'postgres'), port: await freePort() },
    durable: false
  }
  return { options, start: () => startPostgres(options) }
}

/** Creates a folder that only its owner can enter, like the home of root. */
async function closedFolder(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'closed-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  await chmod(directory, 0o700)
  return directory
}

const modeOf = async (path: string) => ((await stat(path)).mode & 0o777).toString(8)

test('only the generated passwords are accepted, and only the user of the launcher can read them', async t => {
  const { options, start } = await setUp(t)
  const { access, stop } = await start()
  const superuser = access.superuserURL()
  assert.equal(await modeOf(options.dataDirectory), '700')
  assert.equal(await modeOf(access.file), '600')
  assert.deepEqual(await query(superuser, 'SELECT DISTINCT auth_method FROM pg_hba_file_rules'), [
    { auth_method: 'scram-sha-256' }
  ])
  assert.deepEqual(await query(superuser, 'SHOW unix_socket_directories'), [{ unix_socket_directories: '' }])
  const passwords = [superuser, ...databaseRoles.map(role => access.urlOf(role))].map(url => new URL(url).password)
  assert.equal(new Set(passwords).size, databaseRoles.length + 1)
  assert.ok(passwords.every(password => password.length >= 43))
  for (const user of ['postgres', 'orderly', ...databaseRoles]) {
    for (const password of ['', 'orderly', 'postgres', user]) {
      const url = `postgres://${user}:${password}@127.0.0.1:${options.port}/orderly`
      await assert.rejects(query(url, 'SELECT 1'), /password/, url)
    }
  }
  await stop()
  const again = await start()
  assert.equal(again.access.urlOf('orderly_order'), access.urlOf('orderly_order'))
  await query(again.access.urlOf('orderly_order'), 'SELECT 1')
  await again.stop()
  await rm(credentialsFileOf(options.dataDirectory))
  await assert.rejects(
    start(),
    error => error instanceof UserError && /passwords .* are lost .*npm run reset/.test(error.message)
  )
})

test('as root, Postgres runs without capabilities, even in a folder that only root can enter', async t => {
  if (!isRoot) return t.skip('needs root on Linux')
  const { start } = await setUp(t, join(await closedFolder(t), 'data', 'postgres'))
  const { processes, access } = await start()
  const status = await readFile(`/proc/${processes[0]?.pid}/status`, 'utf8')
  const field = (name: string) => new RegExp(`^${name}:\\s+(.*)$`, 'm').exec(status)?.[1]?.split(/\s+/) ?? []
  for (const name of ['CapInh', 'CapPrm', 'CapEff', 'CapAmb']) assert.deepEqual(field(name), ['0000000000000000'], name)
  assert.ok(!field('Uid').includes('0'))
  const [row] = await query(
    access.superuserURL('orderly'),
    'CREATE TABLE public.written (id integer); CHECKPOINT; SELECT 1 AS one'
  )
  assert.deepEqual(row, { one: 1 })
})

test('programs in a folder that only root can enter are copied, and the copy is removed after the process', async t => {
  if (!isRoot) return t.skip('needs root on Linux')
  const directory = await closedFolder(t)
  const binaries = await findPostgresBinaries()
  const native = dirname(dirname(binaries.postgres))
  await mkdir(join(directory, 'native'))
  await cp(native, join(directory, 'native'), { recursive: true, verbatimSymlinks: true })
  const closed = (program: string) => join(directory, 'native', 'bin', program)
  const home = await planPostgresHome('/tmp/orderly-nowhere/postgres', {
    postgres: closed('postgres'),
    initdb: closed('initdb')
  })
  assert.notEqual(home.user, undefined)
  const run = () => promisify(execFile)(home.binaries.postgres, ['--version'], { ...home.user })
  assert.match((await run()).stdout, /PostgreSQL/)
  await home.release()
  await assert.rejects(run(), { code: 'ENOENT' })
})
