import assert from 'node:assert/strict'
import { test } from 'node:test'
import { topicNames } from '@orderly/contracts'
import type { History, RecordedRecord } from '../../history/history.ts'
import { collectEvidence, positionKey } from '../evidence.ts'
import { cleanHistory } from '../testing/clean-history.ts'
import { isRate, type Rate, rateOf, rateRecord, withRates } from '../testing/with-rates.ts'
import { checkRates, type RatePolicy, ratesAddUp } from './rates-add-up.ts'

const windowMs = 60_000
const policy: RatePolicy = { graceMs: 1_000, clockSkewMs: 1_000, finalWithinMs: 1_000 }

type Change = (records: RecordedRecord[], history: History) => RecordedRecord[]

const isOrder = ({ topic, event }: RecordedRecord) => topic === topicNames.ordersCreated && event !== undefined

function summaries(history: History, change: Change = records => records): string[] {
  const records = change([...history.records], history)
  return checkRates(collectEvidence({ ...history, records }), policy).map(({ summary }) => summary)
}

const changed = (record: RecordedRecord, figures: Partial<Rate>): RecordedRecord => {
  const rate = { ...rateOf(record), ...figures }
  return { ...record, valueDigest: JSON.stringify(rate), event: rate as never }
}
const changeLast =
  (figures: Partial<Rate>): Change =>
  records => {
    const last = records.findLastIndex(isRate)
    return records.with(last, changed(records[last] as RecordedRecord, figures))
  }
const changeFinals =
  (change: (rate: Rate) => Partial<Rate>): Change =>
  records =>
    records.map(record => (isRate(record) && rateOf(record).isFinal ? changed(record, change(rateOf(record))) : record))

test('correct rates with revisions, repeated final records, aborted records, dead letters and replays have no violation', () => {
  for (let seed = 0; seed < 20; seed++) {
    assert.deepEqual(summaries(withRates(cleanHistory(seed))), [])
    assert.deepEqual(ratesAddUp.check(collectEvidence(withRates(cleanHistory(seed)))), [])
  }
  const history = withRates(cleanHistory(1))
  const order = history.records.find(isOrder) as RecordedRecord
  const copy = (fields: Partial<RecordedRecord>) => ({ ...order, offset: 1_000_000, ...fields })
  const others: Change = records => [
    ...records,
    copy({ headers: { 'dlq-replay': 'r', 'dlq-stage': 'inventory' } }),
    copy({ transaction: 'aborted', offset: 1_000_001 })
  ]
  assert.deepEqual(summaries(history, others), [])
  const deadLettered = copy({ offset: 1_000_002 })
  const [, partition = '', offset = ''] = positionKey(deadLettered).split('/')
  const position = { 'dlq-topic': order.topic, 'dlq-partition': partition, 'dlq-offset': offset }
  const deadLetter = copy({ topic: `${order.topic}.dlq`, headers: { 'dlq-stage': 'order-rate', ...position } })
  assert.deepEqual(
    summaries(history, records => [...records, deadLettered, deadLetter]),
    []
  )
  const ofAnother = { ...deadLetter, headers: { ...deadLetter.headers, 'dlq-stage': 'inventory' } }
  assert.match(summaries(history, records => [...records, deadLettered, ofAnother]).join(), /was published with/)
})

const planted: readonly (readonly [string, RegExp, Change])[] = [
  ['an order was counted twice', /was published with/, changeFinals(({ orders }) => ({ orders: orders + 1 }))],
  ['an order was not counted', /was published with/, changeFinals(({ orders }) => ({ orders: orders - 1 }))],
  [
    'an order in time was counted as late',
    /was published with/,
    changeFinals(({ orders }) => ({ orders: orders - 1, late: 1 }))
  ],
  ['a minute was never published', /was never published/, records => records.filter(record => !isRate(record))],
  ['a minute never became final', /no final record/, changeFinals(() => ({ isFinal: false }))],
  ['an older revision was published last', /revision 2 follows 3/, changeLast({ revision: 2 })],
  ['a final count changed', /were final, but changed/, changeLast({ revision: 4, orders: 0 })],
  ['a final minute became open again', /were final, but changed/, changeLast({ revision: 4, isFinal: false })],
  ['one revision has two contents', /two contents/, changeLast({ late: 7 })],
  [
    'a minute without orders was published',
    /has no orders/,
    records => [...records, rateRecord(0, 3, 0, { orders: 0, late: 0, revision: 1, isFinal: true })]
  ],
  [
    'a minute was published under another key',
    /under another key/,
    records => records.map(record => (isRate(record) ? { ...record, key: 'user-1' } : record))
  ],
  [
    'a late order was not counted as late',
    /was published with/,
    records => {
      const order = records.find(isOrder) as RecordedRecord
      const late = { ...order, offset: 1_000_000, timestampMs: order.timestampMs + 5 * windowMs }
      return [...records, { ...late, event: { ...late.event, createdAtMs: order.timestampMs } as never }]
    }
  ]
]

for (const [name, expected, change] of planted) {
  test(`a planted violation is found: ${name}`, () => {
    assert.match(summaries(withRates(cleanHistory(3)), change).join('\n'), expected)
  })
}
