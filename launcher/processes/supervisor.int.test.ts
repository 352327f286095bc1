import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { startPostgres } from '../components/postgres.ts'
import { processesUnder } from '../testing/process-list.ts'
import type { LogLimits } from './log-rotation.ts'
import { freePort } from './ports.ts'
import { listProcesses } from './process-table.ts'
import { createSupervisor } from './supervisor.ts'
import { waitUntil } from './wait.ts'

function createSupervised(t: TestContext, logLimits?: LogLimits) {
  const directory = mkdtempSync(join(tmpdir(), 'orderly-supervisor-'))
  const supervisor = createSupervisor(directory, logLimits)
  t.after(async () => {
    await supervisor.stop()
    rmSync(directory, { recursive: true, force: true })
  })
  return { directory, supervisor }
}

const gone = (directory: string) => async () => (await processesUnder(directory)).length === 0

test('services are stopped before the servers that they use', async t => {
  const { supervisor } = createSupervised(t)
  const order: string[] = []
  for (const [name, tier] of [
    ['kafka', 'server'],
    ['order', 'service']
  ] as const) {
    const child = supervisor.start({ name, tier, command: 'sleep', args: ['1000'] })
    void child.exited.then(() => order.push(name))
  }
  await supervisor.stop()
  assert.deepEqual(order, ['order', 'kafka'])
  assert.throws(() => supervisor.start({ name: 'late', command: 'sleep', args: ['1'] }), /the supervisor is stopping/)
})

test('a stop lasts until the watchdog has ended as well', async t => {
  const { directory, supervisor } = createSupervised(t)
  const isWatchdog = async () => (await listProcesses()).some(({ pid }) => pid === supervisor.watchdogPID)
  supervisor.start({ name: 'server', command: 'sleep', args: ['1000'], cwd: directory })
  process.kill(supervisor.watchdogPID, 'SIGSTOP')
  const stopped = supervisor.stop().then(() => 'stopped')
  assert.equal(await Promise.race([stopped, delay(200, 'stopping')]), 'stopping')
  process.kill(supervisor.watchdogPID, 'SIGCONT')
  await stopped
  assert.equal(await isWatchdog(), false)
  assert.equal(await gone(directory)(), true)
})

test('a process that ignores the signal is killed at its deadline, together with its children', async t => {
  const { directory, supervisor } = createSupervised(t)
  const script = `trap '' TERM; echo "$$" > pid; while :; do sleep 1000 & wait; done # ${directory}`
  const child = supervisor.start({
    name: 'stubborn',
    command: 'sh',
    args: ['-c', script],
    cwd: directory,
    stopDeadlineMs: 200
  })
  await waitUntil(() => readFileSync(join(directory, 'pid'), 'utf8') !== '', { what: 'the trap', deadlineMs: 5000 })
  assert.equal((await child.stop()).signal, 'SIGKILL')
  await supervisor.stop()
  await waitUntil(gone(directory), { what: 'the end of all processes', deadlineMs: 5000 })
})

test('a missing command is reported by name', async t => {
  const { supervisor } = createSupervised(t)
  const child = supervisor.start({ name: 'maven', command: '/nowhere/mvn', args: [] })
  await assert.rejects(child.exited, /maven could not be started: spawn \/nowhere\/mvn ENOENT/)
})

test('a launcher killed by SIGKILL leaves no process, neither Postgres nor its workers', async t => {
  const { directory } = createSupervised(t)
  const launcher = spawn(
    process.execPath,
    [
      '--input-type=module',
      '--eval',
      `const { createSupervisor } = await import(${JSON.stringify(join(import.meta.dirname, 'supervisor.ts'))})
       const { startPostgres } = await import(${JSON.stringify(join(import.meta.dirname, '../components/postgres.ts'))})
       const supervisor = createSupervisor(${JSON.stringify(directory)})
       const dataDirectory = ${JSON.stringify(join(directory, 'data'))}
       await startPostgres({ supervisor, dataDirectory, port: ${await freePort()}, durable: false })
       supervisor.start({ name: 'service', tier: 'service', command: 'sh', args: ['-c', 'sleep 1000 # ' + dataDirectory] })
       console.log('up')
       setInterval(() => {}, 1e6)`
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] }
  )
  await once(launcher.stdout, 'data')
  assert.ok((await processesUnder(join(directory, 'data'))).length >= 2)
  launcher.kill('SIGKILL')
  await waitUntil(gone(directory), { what: 'the end of everything the launcher had started', deadlineMs: 15_000 })
})

test('Postgres keeps its data after a stop and after a crash', async t => {
  const { directory, supervisor } = createSupervised(t)
  const options = { supervisor, dataDirectory: join(directory, 'data'), port: await freePort(), durable: true }
  const first = await startPostgres(options)
  await first.stop()
  const second = await startPostgres(options)
  for (const child of second.processes) child.signal('SIGKILL')
  await second.stop()
  const third = await startPostgres(options)
  assert.equal(await third.isHealthy(), true)
})

test('the last lines of a process do not include those of an earlier one, also after a rotation', async t => {
  const { supervisor } = createSupervised(t, { maxBytes: 10_000, checkEveryMs: 20 })
  const run = (script: string) => supervisor.start({ name: 'service', command: 'sh', args: ['-c', script] })
  const first = run('echo earlier failure')
  await first.exited
  assert.equal(await first.lastLines(), 'earlier failure')
  const silent = run('exit 3')
  await silent.exited
  assert.equal(await silent.lastLines(), '')
  const chatty = run(
    'i=0; while [ $i -lt 500 ]; do i=$((i+1)); echo "a line with the number $i"; done; exec sleep 1000'
  )
  await waitUntil(() => existsSync(`${chatty.logFile}.1`) && statSync(chatty.logFile).size < 10_000, {
    what: 'a rotation',
    deadlineMs: 30_000
  })
  await chatty.stop()
  assert.match(readFileSync(`${chatty.logFile}.1`, 'utf8'), /^earlier failure\n/)
  assert.match(await chatty.lastLines(2), /^a line with the number \d+\na line with the number \d+$/)
  assert.match(await chatty.lastLines(1_000), /^a line with the number 1\n/)
})

test('a log that reaches its limit is rotated, and its process continues to write to it', async t => {
  const { directory, supervisor } = createSupervised(t, { maxBytes: 20_000, checkEveryMs: 20 })
  const script = 'i=0; while :; do i=$((i+1)); echo "line $i"; [ $((i % 50)) -eq 0 ] && sleep 0.01; done'
  const child = supervisor.start({ name: 'chatty', command: 'sh', args: ['-c', script] })
  const firstLine = () => readFileSync(child.logFile, 'utf8').split('\n')[0]
  const isRotated = async () => existsSync(`${child.logFile}.1`)
  await waitUntil(isRotated, { what: 'a rotation', deadlineMs: 30_000 })
  const former = statSync(`${child.logFile}.1`).ino
  const again = async () => statSync(`${child.logFile}.1`).ino !== former
  await waitUntil(again, { what: 'another rotation', deadlineMs: 30_000 })
  const isWritten = async () => statSync(child.logFile).size > 0
  await waitUntil(isWritten, { what: 'lines after the rotation', deadlineMs: 30_000 })
  assert.match(firstLine() ?? '', /\d$/)
  await child.stop()
  const kept = readdirSync(directory).filter(name => name.startsWith('chatty'))
  assert.deepEqual(kept.toSorted(), ['chatty.log', 'chatty.log.1'])
  assert.doesNotMatch(readFileSync(child.logFile, 'utf8'), /\0/)
})
