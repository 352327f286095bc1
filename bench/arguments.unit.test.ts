import assert from 'node:assert/strict'
import { test } from 'node:test'
import { partNames, readArguments } from './arguments.ts'

test('without a name all parts run, with the npm load generator', () => {
  assert.deepEqual(readArguments([]), { parts: partNames, quick: false, profile: false, tool: 'npm', backlog: 1e6 })
})

test('parts are named one by one, and numbers of orders are written short', () => {
  const given = readArguments(['scale', 'stage', '--quick', '--backlog', '10m'])
  assert.deepEqual([given.parts, given.quick, given.backlog], [['scale', 'stage'], true, 1e7])
})

test('what cannot be is answered with what can be', () => {
  assert.throws(() => readArguments(['stages']), /no part "stages": say codec, stage,/)
  assert.throws(() => readArguments(['--tool', 'ab']), /--tool is "ab": say npm, wrk, k6/)
  assert.throws(() => readArguments(['--backlog', 'many']), /--backlog is "many": say a number of orders/)
})
