import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { topicNames } from '@orderly/contracts'
import fc from 'fast-check'
import type { History } from '../../history/history.ts'
import type { StockChange, StockRead } from '../../history/stock.ts'
import { collectEvidence } from '../evidence.ts'
import { cleanHistory } from '../testing/clean-history.ts'
import { changingMovements, changingStock, withStockChanges } from '../testing/with-stock-changes.ts'
import { failedOnlyIfShort } from './failed-only-if-short.ts'
import { stockConserved } from './stock-conserved.ts'

const clean = (seed: number): History => withStockChanges(cleanHistory(seed, 200))

function summaries(history: History): string[] {
  const evidence = collectEvidence(history)
  return [...stockConserved.check(evidence), ...failedOnlyIfShort.check(evidence)].map(({ summary }) => summary)
}

test('correct stock changes have no violation', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0 }), seed => assert.deepEqual(summaries(clean(seed)), [])),
    { numRuns: 20 }
  )
})

/** Changes the attempts of one change of this kind that was answered. */
function changingAttempts(
  history: History,
  kind: StockChange['change']['kind'],
  change: (attempts: readonly StockChange[]) => readonly StockChange[]
): History {
  return changingStock(history, ({ changes }) => {
    const chosen = changes.find(own => own.change.kind === kind && own.result.kind === 'done')?.id
    assert.ok(chosen)
    const isChosen = ({ id }: StockChange) => id === chosen
    return { changes: [...changes.filter(own => !isChosen(own)), ...change(changes.filter(isChosen))] }
  })
}

const withResult =
  (result: StockChange['result']) =>
  (attempts: readonly StockChange[]): StockChange[] =>
    attempts.map(attempt => ({ ...attempt, result }))

/** Adds a read of the new SKU. */
const reading = (history: History, onHand: number, atMs: number): History => {
  const level = { available: onHand, reserved: 0, onHand }
  const read: StockRead = { sku: 'NEW-1', sentAtMs: atMs, endedAtMs: atMs, level }
  return changingStock(history, ({ reads }) => ({ reads: [...reads, read] }))
}

const lastReadMs = ({ stock }: History): number => Math.max(...(stock?.reads.map(({ endedAtMs }) => endedAtMs) ?? []))

const planted: readonly (readonly [what: string, summary: RegExp, plant: (history: History) => History])[] = [
  [
    'an adjustment took effect twice',
    /adjust was requested once, and took effect 2 times/,
    history =>
      changingMovements(history, rows => {
        const row = rows.findLast(({ kind }) => kind === 'adjust')
        return row === undefined ? rows : [...rows, { ...row, movementID: 'again', sequence: row.sequence + 1 }]
      })
  ],
  [
    'a change that was answered 200 has no effect',
    /count was answered 200, and has no movement/,
    history =>
      changingMovements(
        changingAttempts(history, 'adjust', attempts => attempts),
        rows => rows.filter(({ kind }) => kind !== 'count')
      )
  ],
  [
    'a refused change took effect',
    /adjust was refused, and took effect/,
    history => changingAttempts(history, 'adjust', withResult({ kind: 'refused', code: 'STOCK_TOO_LOW' }))
  ],
  [
    'a count set the available pieces instead of those on hand',
    /counted \d+, but the movement has 5/,
    history =>
      changingStock(history, ({ changes }) => ({
        changes: changes.map(own =>
          own.change.kind === 'count' ? { ...own, change: { kind: 'count', onHand: 6 } } : own
        )
      }))
  ],
  [
    'two answers to one key claim to have changed the stock',
    /two answers were no replays/,
    history =>
      changingAttempts(history, 'adjust', attempts => {
        const first = attempts.map(own => ({ ...own, result: { ...own.result, isReplay: false } as typeof own.result }))
        return [...first, ...first].filter(({ result }) => result.kind === 'done')
      })
  ],
  [
    'a replay is answered with another level',
    /answered with 1 available, 2 reserved and 3 on hand, but the movement has/,
    history =>
      changingAttempts(
        history,
        'adjust',
        withResult({ kind: 'done', isReplay: true, level: { available: 1, reserved: 2, onHand: 3 } })
      )
  ],
  [
    'a movement belongs to no change',
    /belongs to no change/,
    history =>
      changingMovements(history, rows => rows.map(row => (row.kind === 'set' ? { ...row, reason: 'why' } : row)))
  ],
  [
    'reservations and reserved pieces differ in a snapshot',
    /in a snapshot during the run, .* the reservations of orders add up to/,
    history =>
      changingStock(history, ({ snapshots }) => ({
        snapshots: snapshots.map(one => ({ ...one, rows: one.rows.map(row => ({ ...row, held: row.held + 1 })) }))
      }))
  ],
  [
    'movements do not add up in a snapshot',
    /in a snapshot during the run, .* the movements add up to/,
    history =>
      changingStock(history, ({ snapshots }) => ({
        snapshots: snapshots.map(one => ({ ...one, rows: one.rows.map(row => ({ ...row, moved: row.moved - 1 })) }))
      }))
  ],
  [
    'stock is negative in a snapshot',
    /in a snapshot during the run, -1 of/,
    history =>
      changingStock(history, ({ snapshots }) => ({
        snapshots: snapshots.map(one => ({ ...one, rows: one.rows.map(row => ({ ...row, available: -1 })) }))
      }))
  ],
  [
    'a read shows negative stock',
    /a read of NEW-1 showed -1 available/,
    history => reading(history, -1, lastReadMs(history) + 1)
  ],
  [
    'a read shows pieces that were never on hand',
    /a read showed 6 pieces of NEW-1 on hand; at that time there were 8/,
    history => reading(history, 6, lastReadMs(history) + 1)
  ],
  [
    'a read shows the stock before a change that was answered',
    /a read showed 7 pieces of NEW-1 on hand; at that time there were 8/,
    history => reading(history, 7, lastReadMs(history) + 1)
  ],
  [
    'a read shows the stock after a change that was not requested yet',
    /a read showed 8 pieces of NEW-1 on hand; at that time there were /,
    history => reading(history, 8, history.startedAtMs)
  ],
  [
    'a movement is not in the topic',
    /is not in the topic/,
    history => ({ ...history, records: history.records.filter(({ key }) => key !== 'NEW-1') })
  ],
  [
    'the topic has a movement that the database lacks',
    /the topic has a movement that is not in the database/,
    history => changingMovements(history, rows => rows.slice(0, -1))
  ],
  [
    'the movements of a SKU are out of order in the topic',
    /movement \d+ of NEW-1 follows \d+ in the topic/,
    history => ({
      ...history,
      records: history.records.map(record =>
        record.topic === topicNames.stockMovements ? { ...record, offset: 200_000 - record.offset } : record
      )
    })
  ],
  [
    'a movement has other content in the topic',
    /has other content in the topic/,
    history => changingMovements(history, rows => rows.map(row => ({ ...row, reserved: row.reserved + 1 })))
  ],
  [
    'a movement was written from a stale level',
    /left \d+ available; the decisions before it leave/,
    history =>
      changingMovements(history, rows =>
        rows.map(row => (row.kind === 'adjust' ? { ...row, available: row.available + 1 } : row))
      )
  ]
]

describe('a planted violation is found', () => {
  for (const [what, summary, plant] of planted) {
    test(what, () => {
      for (const seed of [3, 8]) assert.match(summaries(plant(clean(seed))).join('\n'), summary)
    })
  }
})

test('two reads at the same time may show two values, in any order', () => {
  const history = clean(3)
  const change = history.stock?.changes.find(({ sku, change }) => sku === 'NEW-1' && change.kind === 'count')
  assert.ok(change)
  const during = { sku: 'NEW-1', sentAtMs: change.sentAtMs - 1, endedAtMs: change.endedAtMs }
  const level = (onHand: number) => ({ available: onHand, reserved: 0, onHand })
  const more = [
    { ...during, level: level(5) },
    { ...during, level: level(7) }
  ]
  assert.deepEqual(summaries(changingStock(history, ({ reads }) => ({ reads: [...reads, ...more] }))), [])
})

test('a read that begins after another one ended may not show an earlier value', () => {
  const history = clean(3)
  const changes =
    history.stock?.changes.map(own => ({ ...own, result: { kind: 'unknown', reason: 'lost' } as const })) ?? []
  const onlyUnknown = changingStock(history, () => ({ changes, reads: [] }))
  const first = reading(onlyUnknown, 8, history.endedAtMs - 10)
  assert.deepEqual(summaries(first), [])
  assert.match(summaries(reading(first, 7, history.endedAtMs - 5)).join('\n'), /a read showed 7 pieces of NEW-1/)
})
