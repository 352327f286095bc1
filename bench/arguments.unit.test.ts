import assert from 'node:assert/strict'
import { test } from 'node:test'
import { partNames, readArguments } from './arguments.ts'

test('without a name all parts run, with the npm load generator', () => {
  assert.deepEqual(readArguments([]), { parts: partNames, quick: false, profile: false, tool: 'npm' })
})

test('parts are named one by one', () => {
  const given = readArguments(['load', 'stage', '--quick', '--tool', 'k6'])
  assert.deepEqual([given.parts, given.quick, given.tool], [['load', 'stage'], true, 'k6'])
})

test('what cannot be is answered with what can be', () => {
  assert.throws(() => readArguments(['stages']), /no part "stages": say codec, stage,/)
  assert.throws(() => readArguments(['--tool', 'ab']), /--tool is "ab": say npm, wrk, k6/)
})
