import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { stageChannelName } from '@orderly/kafka'
import { channels, environmentNames, orderFileOf, type PointOrder, parseJournal } from './journal.ts'

/** Runs a process that passes failpoints as a stage does, with the watcher preloaded. */
async function runWatched(t: TestContext, points: readonly string[], { order }: { order?: PointOrder } = {}) {
  const directory = await mkdtemp(join(tmpdir(), 'orderly-verify-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  const journal = join(directory, 'journal')
  if (order !== undefined) await writeFile(orderFileOf(journal), JSON.stringify(order))
  const program = `import { channel } from 'node:diagnostics_channel'
    for (const point of ${JSON.stringify(points)}) channel('${stageChannelName}').publish({ point })`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    env: {
      ...process.env,
      NODE_OPTIONS: `--import=${import.meta.resolve('./watch-failpoints.ts')}`,
      [environmentNames.journal]: journal
    }
  })
  const [code, signal] = await once(child, 'exit')
  const lines = parseJournal(await readFile(journal, 'utf8'))
  return { code, signal, passed: lines.map(({ point, signal }) => (signal ? `${point}!` : point)) }
}

test('the watcher subscribes to the channel of the stage', () => {
  assert.ok((channels as readonly string[]).includes(stageChannelName))
})

test('without an order the watcher only records passes', async t => {
  const { code, passed } = await runWatched(t, ['batch-read', 'after-commit'])
  assert.equal(code, 0)
  assert.deepEqual(passed, ['batch-read', 'after-commit'])
})

test('with an order the process is killed at the given pass of its failpoint', async t => {
  const { signal, passed } = await runWatched(t, ['batch-read', 'before-commit', 'batch-read', 'before-commit', 'x'], {
    order: { point: 'before-commit', afterPasses: 2, signal: 'SIGKILL' }
  })
  assert.equal(signal, 'SIGKILL')
  assert.deepEqual(passed, ['batch-read', 'before-commit', 'batch-read', 'before-commit!'])
})

test('an incomplete last line of the journal is ignored', () => {
  assert.deepEqual(parseJournal('{"atMs":1,"point":"batch-read"}\n{"atMs":2,"po'), [{ atMs: 1, point: 'batch-read' }])
})
