import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { History, RecordedRecord } from '../../history/history.ts'
import type { Poll } from '../../history/reads.ts'
import { collectEvidence, isVisible } from '../evidence.ts'
import { cleanHistory } from '../testing/clean-history.ts'
import { withRates } from '../testing/with-rates.ts'
import { changingPolls } from '../testing/with-reads.ts'
import { checkReads } from './reads-agree.ts'

const summaries = (history: History): string[] => checkReads(collectEvidence(history)).map(({ summary }) => summary)

const clean = (): History => withRates(cleanHistory(4))

/** Changes the first poll of several records of the Java reader. */
const changingPoll = (history: History, change: (poll: Poll) => readonly Poll[]) =>
  changingPolls(history, 'java-1', polls => {
    const index = polls.findIndex(({ records }) => records.length > 2)
    return polls.toSpliced(index, 1, ...change(polls[index] as Poll))
  })

const read = ({ topic, partition, offset, valueDigest }: RecordedRecord, atMs = 1): Poll => {
  return { atMs, topic, partition, records: [[offset, valueDigest, '']] }
}

test('readers that return every committed record once, in order, have no violation', () => {
  for (let seed = 0; seed < 10; seed++) assert.deepEqual(summaries(withRates(cleanHistory(seed))), [])
})

const planted: readonly (readonly [anomaly: string, summary: RegExp, plant: (history: History) => History])[] = [
  [
    'inconsistent offsets: an offset has another value than in the log',
    /java-1 returned .* with the value 0000; the log has/,
    history =>
      changingPoll(history, poll => {
        const [[offset = 0] = [], ...others] = poll.records
        return [{ ...poll, records: [[offset, '0000', ''], ...others] }]
      })
  ],
  [
    'aborted read',
    /java-1 returned .*, which is aborted/,
    history => {
      const aborted = history.records.find(({ transaction }) => transaction === 'aborted')
      assert.ok(aborted)
      return changingPolls(history, 'java-1', polls => [...polls, read(aborted)])
    }
  ],
  [
    'aborted read of an open transaction',
    /java-1 returned .*, which is open/,
    history => {
      const committed = history.records.find(({ transaction }) => transaction === 'committed')
      const records = history.records.map(record =>
        record === committed ? { ...record, transaction: 'open' as const } : record
      )
      return { ...history, records }
    }
  ],
  [
    'precommitted read',
    /java-1 returned .* before its transaction was committed/,
    history => {
      const records = history.records.map(record =>
        record.transaction === 'committed' ? { ...record, committedAtMs: record.timestampMs + 1_000 } : record
      )
      return { ...history, records }
    }
  ],
  [
    'lost write: a record that was read is not in the log',
    /java-1 returned .*, which is not in the log/,
    history => {
      const lost = history.records.find(isVisible)
      return { ...history, records: history.records.filter(record => record !== lost) }
    }
  ],
  [
    'unseen: the last record of a partition is never read',
    /java-1 did not return .*, which is committed/,
    history => changingPolls(history, 'java-1', polls => polls.slice(0, -1))
  ],
  [
    'int-poll-skip: a record is skipped within a poll',
    /java-1 skipped .*, which is committed/,
    history => changingPoll(history, poll => [{ ...poll, records: poll.records.toSpliced(1, 1) }])
  ],
  [
    'poll-skip: a record is skipped between two polls',
    /java-1 skipped .*, which is committed/,
    history => changingPoll(history, poll => [{ ...poll, records: poll.records.slice(1) }])
  ],
  [
    'int-nonmonotonic-poll: a poll goes back',
    /java-1 returned .*\/\d+ after \d+/,
    history => changingPoll(history, poll => [{ ...poll, records: poll.records.toReversed() }])
  ],
  [
    'nonmonotonic-poll: a poll begins before the end of the previous one',
    /java-1 returned .* twice/,
    history => changingPoll(history, poll => [poll, { ...poll, records: poll.records.slice(-1) }])
  ],
  [
    'a reader ends early',
    /the reader java-1 failed: out of memory/,
    history => ({
      ...history,
      reads: history.reads?.map(run => (run.reader === 'java-1' ? { ...run, failure: 'out of memory' } : run)) ?? []
    })
  ]
]

describe('a planted anomaly is found', () => {
  for (const [anomaly, summary, plant] of planted) {
    test(anomaly, () => assert.match(summaries(plant(clean())).join('\n'), summary))
  }
})

test('the reads of a history of an earlier version are checked as well', () => {
  const { reads: _, ...history } = clean()
  const visible = history.records.filter(isVisible)
  const offsets = Map.groupBy(visible, ({ topic, partition }) => `${topic}/${partition}`)
  const committedReads = Object.fromEntries(
    [...offsets].map(([name, own]) => [name, own.map(({ offset }) => offset).toSorted((a, b) => a - b)])
  )
  assert.deepEqual(summaries({ ...history, committedReads }), [])
  const [name = '', read = []] = Object.entries(committedReads)[0] ?? []
  const skipping = { ...history, committedReads: { ...committedReads, [name]: read.slice(1) } }
  assert.match(summaries(skipping).join('\n'), /orderly skipped/)
})
