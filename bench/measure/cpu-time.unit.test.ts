import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseCPUSeconds } from './cpu-time.ts'

test('processor time is found behind a name with blanks and parentheses in it', () => {
  const fields = Array.from({ length: 50 }, (_, index) => index + 3)
  const stat = `17 (node (x) y) ${['S', ...fields.slice(1)].join(' ')}`
  assert.equal(parseCPUSeconds(stat), (14 + 15) / 100)
  assert.equal(parseCPUSeconds(stat, { withEnded: true }), (14 + 15 + 16 + 17) / 100)
})
