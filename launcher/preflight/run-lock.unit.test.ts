import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { takeRunLock } from './run-lock.ts'

function runDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'orderly-lock-'))
  t.after(() => rmSync(directory, { recursive: true }))
  return directory
}

async function holdInAnotherProcess(t: TestContext, directory: string) {
  const module = join(import.meta.dirname, 'run-lock.ts')
  const code = `const { takeRunLock } = await import(${JSON.stringify(module)}); takeRunLock(${JSON.stringify(directory)}); console.log('held'); setInterval(() => {}, 1e6)`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', code], {
    stdio: ['ignore', 'pipe', 'inherit']
  })
  t.after(() => child.kill('SIGKILL'))
  await once(child.stdout, 'data')
  return child
}

test('a second run is refused while the first one runs, with its process id and a remedy', async t => {
  const directory = runDirectory(t)
  const holder = await holdInAnotherProcess(t, directory)
  assert.throws(
    () => takeRunLock(directory),
    new RegExp(`^UserError: .*\\(process ${holder.pid}\\): stop it .*npm run demo`)
  )
})

test('the lock of a killed run is taken over, and the successor is informed', async t => {
  const directory = runDirectory(t)
  const holder = await holdInAnotherProcess(t, directory)
  holder.kill('SIGKILL')
  await once(holder, 'exit')
  assert.equal(takeRunLock(directory).afterCrash, true)
})

test('a later process with the same id is not the holder', t => {
  const directory = runDirectory(t)
  writeFileSync(join(directory, 'running.json'), JSON.stringify({ pid: process.ppid, processStartedAt: 'long ago' }))
  assert.equal(takeRunLock(directory).afterCrash, true)
})

test('a released lock can be taken again', t => {
  const directory = runDirectory(t)
  takeRunLock(directory).release()
  const { afterCrash, release } = takeRunLock(directory)
  assert.equal(afterCrash, false)
  release()
})

test('a lock without a holder blocks a run while it is new, and is taken over when it is old', t => {
  const directory = runDirectory(t)
  const file = join(directory, 'running.json')
  writeFileSync(file, '')
  assert.throws(() => takeRunLock(directory), /^UserError: Another command is starting Orderly here/)
  const minuteAgo = new Date(Date.now() - 60_000)
  utimesSync(file, minuteAgo, minuteAgo)
  takeRunLock(directory).release()
})
