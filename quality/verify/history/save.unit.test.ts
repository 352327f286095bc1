import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { cleanHistory } from '../checker/testing/clean-history.ts'
import { loadHistory, saveHistory } from './save.ts'

async function temporaryDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'orderly-verify-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  return directory
}

test('a loaded history equals the saved one', async t => {
  const history = cleanHistory(5)
  assert.deepEqual(await loadHistory(await saveHistory(history, await temporaryDirectory(t))), history)
})

test('a missing file and a history of another version are rejected with the path or the version', async t => {
  const directory = await temporaryDirectory(t)
  await assert.rejects(loadHistory(join(directory, 'nothing.json')), { name: 'UserError', message: /nothing\.json/ })
  const file = join(directory, 'old.json')
  await writeFile(file, JSON.stringify({ version: 0 }))
  await assert.rejects(loadHistory(file), { name: 'UserError', message: /version 0/ })
})
