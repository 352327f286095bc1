import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { nodeSettings } from './node-settings.ts'

test('the benchmark measures ours with the settings of Node that the image has', async () => {
  const dockerfile = await readFile(new URL('../../deploy/Dockerfile', import.meta.url), 'utf8')
  const found = /^ENTRYPOINT (\["node".*\])$/m.exec(dockerfile)?.[1] ?? ''
  assert.deepEqual(JSON.parse(found), ['node', ...nodeSettings])
})
