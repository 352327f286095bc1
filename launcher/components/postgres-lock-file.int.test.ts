import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { freePort } from '../processes/ports.ts'
import { superviseRun } from '../testing/supervised-run.ts'
import { startZombie } from '../testing/zombie.ts'
import { UserError } from '../user-error.ts'
import { startPostgres } from './postgres.ts'
import { clearLockFile } from './postgres-lock-file.ts'

async function setUp(t: TestContext) {
  const { directories, supervisor } = superviseRun(t, 'test')
  const dataDirectory = join(directories.data, 'postgres')
  const start = async () => startPostgres({ supervisor, dataDirectory, port: await freePort(), durable: false })
  const first = await start()
  const lockFile = join(dataDirectory, 'postmaster.pid')
  const lines = (await readFile(lockFile, 'utf8')).split('\n')
  const leaveLockFile = (pid: number | undefined) => writeFile(lockFile, [pid, ...lines.slice(1)].join('\n'))
  return { dataDirectory, start, first, leaveLockFile }
}

/** Starts a process with the name of Postgres. */
async function startNamesake(t: TestContext) {
  const child = spawn('sleep', ['600'], { argv0: 'postgres', cwd: '/' })
  t.after(() => child.kill('SIGKILL'))
  await once(child, 'spawn')
  return child
}

test('Postgres starts while the killed one is a zombie', async t => {
  const { dataDirectory, start, first, leaveLockFile } = await setUp(t)
  await first.stop()
  // Postgres ignores a process of another user.
  const { uid, gid } = await stat(dataDirectory)
  await leaveLockFile(await startZombie(t, process.getuid?.() === 0 ? { uid, gid } : undefined))
  await (await start()).stop()
})

test('Postgres starts while another program has the process id of the killed one', async t => {
  const { start, first, leaveLockFile } = await setUp(t)
  await first.stop()
  await leaveLockFile(process.pid)
  await (await start()).stop()
})

test('Postgres starts once its predecessor has ended', async t => {
  const { start, first, leaveLockFile } = await setUp(t)
  await first.stop()
  const before = await startNamesake(t)
  await leaveLockFile(before.pid)
  const second = start()
  let hasStarted = false
  void second.then(() => {
    hasStarted = true
  })
  setTimeout(() => before.kill('SIGKILL'), 500)
  await once(before, 'exit')
  assert.equal(hasStarted, false)
  await (await second).stop()
})

test('a Postgres that still uses the data is reported with its process id', async t => {
  const { dataDirectory, first } = await setUp(t)
  const pid = first.processes[0]?.pid
  await assert.rejects(clearLockFile(dataDirectory, { deadlineMs: 300 }), error => {
    assert.ok(error instanceof UserError)
    assert.match(error.message, new RegExp(`^Another Postgres \\(process ${pid}\\) still uses .*kill -INT ${pid}`))
    return true
  })
  assert.ok(await first.isHealthy())
})
