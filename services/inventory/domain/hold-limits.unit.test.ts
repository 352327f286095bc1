import assert from 'node:assert/strict'
import { test } from 'node:test'
import { limitOf, parseCallerLimits } from './hold-limits.ts'

test('the limit of a caller takes precedence over the limit of `*`', () => {
  const limits = parseCallerLimits(['berlin=3600', ' *=60', 'closed=0'])
  assert.deepEqual(
    ['berlin', 'paris', '', 'closed'].map(holder => limitOf(limits, holder)),
    [3_600, 60, 60, 0]
  )
  assert.equal(limitOf(parseCallerLimits(['berlin=1']), 'paris'), undefined)
})
