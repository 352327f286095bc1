import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { startZombie } from '../testing/zombie.ts'
import { listProcesses, parseTable, startOfProcess } from './process-table.ts'

async function startChild(t: TestContext) {
  const child = spawn(process.execPath, ['--eval', 'console.log(1); setInterval(() => {}, 1e6)', 'a (word) in it'])
  t.after(() => child.kill('SIGKILL'))
  await once(child.stdout, 'data')
  assert.ok(child.pid)
  return { child, pid: child.pid }
}

test('a process is listed with its parent, memory and command line, without an external program', async t => {
  const { pid } = await startChild(t)
  const path = process.env.PATH
  t.after(() => {
    process.env.PATH = path
  })
  if (process.platform === 'linux') process.env.PATH = ''
  const found = (await listProcesses()).find(listed => listed.pid === pid)
  assert.equal(found?.parentPID, process.pid)
  assert.ok(found.residentKB > 10_000, `${found.residentKB} KB`)
  assert.match(found.command, /--eval .* a \(word\) in it$/)
})

test('a running process has a constant start, and a dead one has none', async t => {
  const { child, pid } = await startChild(t)
  const start = startOfProcess(pid)
  assert.ok(start)
  assert.equal(startOfProcess(pid), start)
  child.kill('SIGKILL')
  await once(child, 'exit')
  assert.equal(startOfProcess(pid), undefined)
})

test('a zombie has no start and is listed as a zombie', async t => {
  const pid = await startZombie(t)
  assert.equal(startOfProcess(pid), undefined)
  const find = async () => (await listProcesses()).find(listed => listed.pid === pid)
  assert.equal((await find())?.isZombie, true)
})

test('the table of ps is parsed, including commands with spaces', () => {
  assert.deepEqual(parseTable('    1     0   100 Ss /sbin/init\n   10     1  2000 Z+ node main.ts --port 0\n'), [
    { pid: 1, parentPID: 0, residentKB: 100, isZombie: false, command: '/sbin/init' },
    { pid: 10, parentPID: 1, residentKB: 2000, isZombie: true, command: 'node main.ts --port 0' }
  ])
})
