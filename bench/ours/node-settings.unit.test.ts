import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { nodeSettings } from './node-settings.ts'

const read = (path: string) => readFile(new URL(`../../${path}`, import.meta.url), 'utf8')

test('the benchmark measures ours with the settings of Node and of the C library that the image has', async () => {
  const dockerfile = await read('deploy/Dockerfile')
  const found = /^ENTRYPOINT (\["node".*\])$/m.exec(dockerfile)?.[1] ?? ''
  assert.deepEqual(JSON.parse(found), ['node', ...nodeSettings])
  const arenas = (text: string) => /MALLOC_ARENA_MAX\W+(\d+)/.exec(text)?.[1] ?? Number.NaN
  assert.equal(arenas(dockerfile), arenas(await read('bootstrap.mjs')))
})
