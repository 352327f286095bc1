import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { dockerfile, entrypointOf } from '../../../deploy/testing/containers.ts'
import { nodeSettings } from './node-settings.ts'

test('the benchmark uses the same settings of Node and of the C library as the image', async () => {
  assert.deepEqual(entrypointOf('service'), ['node', ...nodeSettings])
  const bootstrap = await readFile(new URL('../../../bootstrap.mjs', import.meta.url), 'utf8')
  const arenas = (text: string) => /MALLOC_ARENA_MAX\W+(\d+)/.exec(text)?.[1] ?? Number.NaN
  assert.equal(arenas(dockerfile), arenas(bootstrap))
})
