/** Bounds of time judge the system, not the machine: a slow machine extends each of them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { topicNames } from '@orderly/contracts'
import type { History, MachineSample, RecordedRecord } from '../history/history.ts'
import { check } from './check.ts'
import { cleanHistory } from './testing/clean-history.ts'
import { isRate, rateOf, withRates } from './testing/with-rates.ts'

const { inventoryReleased, ordersChanges } = topicNames

/** Makes one process of the clean history, a zombie that resumes after 4 s, exit late. */
function withLateZombie(history: History): History {
  const incarnations = history.incarnations.map(own =>
    own.pid === 100 ? { ...own, endedAtMs: history.startedAtMs + 20_000 } : own
  )
  return { ...history, incarnations }
}

/** Removes the expiry of one hold, whose end is 30 s before the end of the history. */
function withLateExpiry(history: History): History {
  const released = history.records.find(
    ({ topic, event, transaction }) =>
      topic === inventoryReleased && event?.cause === 'expired' && transaction === 'committed'
  )
  const orderID = released?.event?.orderID
  const isGone = ({ topic, event }: RecordedRecord) =>
    event?.orderID === orderID && (topic === inventoryReleased || topic === ordersChanges)
  const { tables } = history
  return {
    ...history,
    endedAtMs: (released?.timestampMs ?? 0) + 30_000,
    records: history.records.filter(record => !isGone(record)),
    tables: { ...tables, settlements: tables.settlements.filter(row => row.orderID !== orderID) }
  }
}

/** Publishes no final count of any minute until 20 s after the first time for it. */
function withLateRates(history: History): History {
  const records = history.records.map(record =>
    isRate(record) ? { ...record, event: { ...rateOf(record), isFinal: false } as never } : record
  )
  const lastStartMs = Math.max(...history.records.filter(isRate).map(({ timestampMs }) => timestampMs))
  return { ...history, records, endedAtMs: lastStartMs + 60_000 + 12_000 + 20_000 }
}

const withLateRecovery = (history: History): History => ({
  ...history,
  recoveries: [{ healedAtMs: history.startedAtMs, kinds: ['kill'], boundMs: 15_000, tookMs: 16_000 }]
})

const bounds: readonly (readonly [what: string, summary: RegExp, late: (history: History) => History])[] = [
  ['the exit of a zombie', /did not exit in time/, withLateZombie],
  ['the expiry of a hold', /ended long ago without an expiry/, withLateExpiry],
  ['the final count of a minute', /no final record long after its end/, withLateRates],
  ['the recovery', /took 16\.0 s to recover/, withLateRecovery]
]

const found = (history: History): string =>
  check(history)
    .flatMap(({ violations }) => violations.map(({ summary }) => summary))
    .join('\n')

for (const [what, summary, late] of bounds) {
  test(`the bound of ${what} is extended by a slow machine, and by a machine that was paused`, () => {
    const history = late(withRates(cleanHistory(4)))
    const foundWith = (machine: readonly MachineSample[]) => found({ ...history, machine })
    const { startedAtMs, endedAtMs } = history
    const always = (slowdown: number, everyMs: number) =>
      Array.from({ length: Math.ceil((endedAtMs - startedAtMs) / everyMs) }, (_, index) => {
        return { atMs: startedAtMs + index * everyMs, slowdown }
      })
    assert.match(found(history), summary)
    assert.match(foundWith(always(1, 2_000)), summary)
    assert.doesNotMatch(foundWith(always(5, 2_000)), summary)
    assert.doesNotMatch(foundWith(always(1, 8_000)), summary)
  })
}
