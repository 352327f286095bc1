import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseCPUSeconds, parseMachineSeconds } from './cpu-time.ts'

test('CPU time is parsed after a process name with blanks and parentheses', () => {
  const fields = Array.from({ length: 50 }, (_, index) => index + 3)
  const stat = `17 (node (x) y) ${['S', ...fields.slice(1)].join(' ')}`
  assert.equal(parseCPUSeconds(stat), (14 + 15) / 100)
  assert.equal(parseCPUSeconds(stat, { withEnded: true }), (14 + 15 + 16 + 17) / 100)
})

test('busy time of the machine excludes idle, iowait and steal', () => {
  const stat = 'cpu  1 2 3 1000 1000 4 5 1000 0 0\ncpu0 7 7 7 7 7 7 7 7 0 0\n'
  assert.equal(parseMachineSeconds(stat), (1 + 2 + 3 + 4 + 5) / 100)
})
