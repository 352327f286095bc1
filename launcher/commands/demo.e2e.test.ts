import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { test } from 'node:test'
import type { DemoReport } from '../demo/report.ts'
import { orderlyDirectory } from '../directories.ts'
import { waitUntil } from '../processes/wait.ts'
import { startLauncher } from '../testing/launcher.ts'
import { processesUnder } from '../testing/process-list.ts'

test('the demo prints only JSON on standard output, every order ends as expected, and no process is left', async t => {
  const demo = startLauncher(t, 'demo', ['--json'])
  await demo.waitFor('kafka: ready')
  const run = runDirectoryOf(await processesUnder(`${orderlyDirectory}/demo-`), demo.child.pid)
  const { code, stdout, stderr } = await demo.ended()
  const report = JSON.parse(stdout) as DemoReport

  assert.deepEqual(
    report.orders.filter(({ asExpected }) => !asExpected),
    []
  )
  assert.deepEqual([code, report.ok, report.unexpected], [0, true, []], stderr)
  assert.deepEqual(
    new Set(report.orders.map(({ outcome }) => outcome)),
    new Set(['reserved', 'failed (OUT_OF_STOCK)', 'failed (UNKNOWN_SKU)', 'refused'])
  )
  const names = ['kafka', 'postgres', 'registry', 'order', 'inventory', 'notification', 'aggregator', 'launcher']
  assert.deepEqual(
    report.components.map(({ name }) => name),
    names
  )
  assert.ok(report.residentMB < 1500, `${report.residentMB} MB: ${JSON.stringify(report.components)}`)
  assert.deepEqual(await processesUnder(run), [])
  assert.equal(existsSync(run), false)
})

test('the demo succeeds on Kafka with ZooKeeper', async t => {
  const { code, stdout, stderr } = await startLauncher(t, 'demo', ['--json', '--kafka', 'zookeeper']).ended()
  const report = JSON.parse(stdout) as DemoReport
  assert.deepEqual([code, report.ok, report.unexpected], [0, true, []], stderr)
})

test('a demo killed by SIGKILL while its services start leaves no process', async t => {
  const demo = startLauncher(t, 'demo')
  await demo.waitFor('topics: ready')
  const run = runDirectoryOf(await processesUnder(`${orderlyDirectory}/demo-`), demo.child.pid)
  demo.child.kill('SIGKILL')
  const areGone = async () => (await processesUnder(run)).length === 0
  await waitUntil(areGone, { what: 'the end of everything the demo had started', deadlineMs: 30_000 })
})

/** Returns the run directory of this demo; several demos may run on this machine. */
function runDirectoryOf(
  processes: Awaited<ReturnType<typeof processesUnder>>,
  launcherPID: number | undefined
): string {
  const own = processes.find(({ parentPID, command }) => parentPID === launcherPID && command.includes('kafka.Kafka'))
  const properties = own?.command.split(' ').find(word => word.endsWith('.properties'))
  assert.ok(properties, 'the demo runs Kafka')
  return dirname(dirname(dirname(properties)))
}
