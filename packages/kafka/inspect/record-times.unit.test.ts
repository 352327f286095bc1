import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { TimeSearch } from './record-times.ts'

/** Searches as brokers answer: the first record with a timestamp of the time or later. */
function search(timestampsMs: readonly number[], position: number, nowMs: number) {
  const own = new TimeSearch(BigInt(position), nowMs)
  let rounds = 0
  for (; own.resultMs === undefined; rounds++) {
    const { questionMs } = own
    const offset = timestampsMs.findIndex(timestampMs => timestampMs >= questionMs)
    own.note(offset < 0 ? undefined : { offset: BigInt(offset), timestampMs: timestampsMs[offset] as number })
    assert.ok(rounds < 100)
  }
  return { timeMs: own.resultMs, rounds }
}

test('the search finds the time of any record in order of time, and otherwise the latest up to it', () => {
  const property = fc.property(
    fc.array(fc.integer({ min: 0, max: 2_000_000_000_000 }), { minLength: 1, maxLength: 50 }),
    fc.nat(),
    (timestampsMs, choice) => {
      const position = choice % timestampsMs.length
      const expectedMs = Math.max(...timestampsMs.slice(0, position + 1))
      assert.equal(search(timestampsMs, position, Math.max(...timestampsMs)).timeMs, expectedMs)
    }
  )
  fc.assert(property)
})

test('a recent record is found in a few questions, a record that does not exist yet is as old as the last', () => {
  const nowMs = 1_700_000_000_000
  const timestampsMs = [nowMs - 5_000, nowMs - 3_000, nowMs - 1_200]
  assert.equal(search(timestampsMs, 2, nowMs).timeMs, nowMs - 1_200)
  assert.ok(search(timestampsMs, 2, nowMs).rounds < 20)
  assert.equal(search(timestampsMs, 3, nowMs).timeMs, nowMs - 1_200)
})

test('a record inside a batch, whose records have the same time, is as old as the batch', () => {
  const [oldMs, nowMs] = [1_700_000_000_000, 1_700_500_000_000]
  assert.equal(search([oldMs, oldMs, oldMs, nowMs], 1, nowMs).timeMs, oldMs)
})
