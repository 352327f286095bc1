import assert from 'node:assert/strict'
import { test } from 'node:test'
import { longestWaitSeconds, waitSeconds } from './waiting.ts'

test('a wait preference is found among others and limited to the maximum; a malformed one is ignored', () => {
  const cases: [string | undefined, number | undefined][] = [
    [undefined, undefined],
    ['wait=5', 5],
    ['respond-async, wait=0', 0],
    ['wait="7"; x=1', 7],
    ['wait=31', longestWaitSeconds],
    [`wait=${'9'.repeat(400)}`, longestWaitSeconds],
    ['wait', undefined],
    ['wait=-5', undefined],
    ['wait=5s', undefined],
    ['await=5', undefined]
  ]
  for (const [prefer, seconds] of cases) assert.equal(waitSeconds(prefer), seconds, prefer)
})
