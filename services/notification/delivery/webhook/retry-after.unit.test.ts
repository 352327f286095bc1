import assert from 'node:assert/strict'
import { test } from 'node:test'
import { retryAfterMs } from './retry-after.ts'

const nowMs = Date.parse('2026-01-02T03:04:05Z')
const pause = (text: string | undefined, date?: string) => retryAfterMs({ 'retry-after': text, date }, nowMs)

test('a pause is any number of seconds, or a date in any HTTP format', () => {
  const cases: Record<string, number> = {
    '0': 0,
    '120': 120_000,
    ' 7 ': 7_000,
    '2592000': 30 * 24 * 3_600_000,
    '99999999999': 99_999_999_999_000,
    'Fri, 02 Jan 2026 03:05:05 GMT': 60_000,
    'Friday, 02-Jan-26 03:05:05 GMT': 60_000,
    'Fri Jan  2 03:05:05 2026': 60_000,
    'Sat, 02 Jan 2027 03:04:05 GMT': 365 * 24 * 3_600_000
  }
  for (const [text, expected] of Object.entries(cases)) assert.equal(pause(text), expected, text)
  assert.ok((pause('9'.repeat(400)) ?? 0) >= Number.MAX_SAFE_INTEGER)
})

test('a date in the past requests no pause, including one with a two-digit year', () => {
  for (const text of ['Fri, 02 Jan 2026 03:00:00 GMT', 'Sunday, 06-Nov-94 08:49:37 GMT', 'Sun Nov  6 08:49:37 1994']) {
    assert.equal(pause(text), 0, text)
  }
})

test("a date is compared with the receiver's clock if the response has a valid Date header", () => {
  const [date, later] = ['Fri, 02 Jan 2026 01:00:00 GMT', 'Fri, 02 Jan 2026 01:10:00 GMT']
  assert.equal(pause(later, date), 600_000)
  assert.equal(pause(later, 'yesterday'), 0)
  assert.equal(pause('60', date), 60_000)
})

test('an invalid header is ignored', () => {
  const garbage = [
    undefined,
    '',
    ' ',
    '-1',
    '+5',
    '1.5',
    '1e3',
    '0x10',
    '5, 5',
    'soon',
    'NaN',
    '2026-01-02',
    'Infinity'
  ]
  garbage.push('Fri, 02 Jan 2026 03:05:05', 'Fri, 02 Jan 2026 25:05:05 GMT', 'Fri, 32 Jan 2026 03:05:05 GMT', '120\0')
  garbage.push('Fri, 02 Jan 2026 03:05:05 GMT; x', 'Fri, 02 Jan 2026 03:05:05 +0100', 'Foo, 02 Bar 2026 03:05:05 GMT')
  for (const text of garbage) assert.equal(pause(text), undefined, JSON.stringify(text))
})
