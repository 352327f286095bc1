import assert from 'node:assert/strict'
import { test } from 'node:test'
import { atMostEvery } from './at-most-every.ts'

test('the first value of an interval is logged and the others are counted', () => {
  const lines: string[] = []
  const log = atMostEvery<string>(60_000, (value, suppressed) => lines.push(`${value} ${suppressed}`))
  for (const value of ['a', 'b', 'c']) log(value)
  assert.deepEqual(lines, ['a 0'])
  const always = atMostEvery<string>(0, (value, suppressed) => lines.push(`${value} ${suppressed}`))
  for (const value of ['d', 'e']) always(value)
  assert.deepEqual(lines, ['a 0', 'd 0', 'e 0'])
})
