import assert from 'node:assert/strict'
import { test } from 'node:test'
import { topicNames } from '@orderly/contracts'
import fc from 'fast-check'
import type { History, RecordedRecord } from '../../history/history.ts'
import type { ListRead, StatusRead } from '../../history/status-reads.ts'
import { collectEvidence } from '../evidence.ts'
import { cleanHistory } from '../testing/clean-history.ts'
import { changingStatus, withStatus } from '../testing/with-status.ts'
import { statusShown } from './status-shown.ts'

const summaries = (history: History): string[] =>
  statusShown.check(collectEvidence(history)).map(({ summary }) => summary)

const clean = (seed: number): History => withStatus(cleanHistory(seed, 300))

test('what clients of a correct service see has no violation', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0 }), seed => assert.deepEqual(summaries(clean(seed)), [])),
    { numRuns: 20 }
  )
})

/** Returns an order with this last status in the topics, and a time after all of its events. */
function orderThatIs(history: History, status: string) {
  const list = history.statusReads?.lists.find(
    ({ isFinal, pages }) => isFinal && pages.some(({ orders }) => orders.some(order => order.status === status))
  )
  const orderID = list?.pages.flatMap(({ orders }) => orders).find(order => order.status === status)?.orderID
  assert.ok(orderID)
  return { orderID, userID: list?.userID ?? '', atMs: history.endedAtMs - 1_000 }
}

const found = (orderID: string, status: string, sentAtMs: number, endedAtMs = sentAtMs + 5): StatusRead => {
  return { orderID, sentAtMs, endedAtMs, result: { kind: 'found', status } }
}

const reading = (history: History, ...more: StatusRead[]) =>
  changingStatus(history, ({ reads }) => ({ reads: [...reads, ...more] }))

/** Changes the lists at the end. */
const changingFinal = (history: History, change: (list: ListRead) => ListRead) =>
  changingStatus(history, ({ lists }) => ({ lists: lists.map(list => (list.isFinal ? change(list) : list)) }))

const planted: readonly (readonly [what: string, summary: RegExp, plant: (history: History) => History])[] = [
  [
    'a status goes back',
    /showed failed, and later a request accepted/,
    history => {
      const { orderID, atMs } = orderThatIs(history, 'failed')
      return reading(history, found(orderID, 'failed', atMs), found(orderID, 'accepted', atMs + 6))
    }
  ],
  [
    'a status in a list is older than that of an earlier request',
    /showed reserved, and later a list accepted/,
    history => {
      const { orderID, userID, atMs } = orderThatIs(history, 'reserved')
      return changingStatus(reading(history, found(orderID, 'reserved', atMs)), ({ lists }) => ({
        lists: [
          ...lists,
          {
            userID,
            isComplete: false,
            pages: [{ sentAtMs: atMs + 10, endedAtMs: atMs + 11, orders: [{ orderID, status: 'accepted' }] }]
          }
        ]
      }))
    }
  ],
  [
    'an answer to a waiting order is newer than a later request',
    /showed reserved, and later a request accepted/,
    history => {
      const { orderID, atMs } = orderThatIs(history, 'reserved')
      const requests = history.requests.map(request =>
        request.result.kind === 'ok' && request.result.orderID === orderID
          ? { ...request, result: { ...request.result, status: 'reserved' } }
          : request
      )
      return reading({ ...history, requests }, found(orderID, 'accepted', atMs))
    }
  ],
  [
    'a waiting order is answered without an outcome',
    /a waiting order was answered 200 without an outcome/,
    history => ({
      ...history,
      requests: history.requests.map(request =>
        request.result.kind === 'ok' ? { ...request, result: { ...request.result, status: 'accepted' } } : request
      )
    })
  ],
  [
    'concurrent answers show two different outcomes',
    /but the topics have/,
    history => {
      const { orderID, atMs } = orderThatIs(history, 'failed')
      return reading(history, found(orderID, 'failed', atMs, atMs + 9), found(orderID, 'reserved', atMs, atMs + 9))
    }
  ],
  [
    'an order disappears',
    /answered 404 after a request had shown failed/,
    history => {
      const { orderID, atMs } = orderThatIs(history, 'failed')
      const missing = { orderID, sentAtMs: atMs + 6, endedAtMs: atMs + 7, result: { kind: 'missing' } } as const
      const quiet = changingStatus(history, () => ({ reads: [], streams: [], lists: [] }))
      return reading(quiet, found(orderID, 'failed', atMs), missing)
    }
  ],
  [
    'a status was never in the topics',
    /a request showed confirmed, but the topics have accepted, reserved/,
    history => {
      const { orderID, atMs } = orderThatIs(history, 'reserved')
      return reading(history, found(orderID, 'confirmed', atMs))
    }
  ],
  [
    'a status was shown before its transaction was committed',
    /showed (reserved|failed) before the transaction of its event was committed/,
    history => ({
      ...history,
      records: history.records.map(record =>
        record.transaction === 'committed' ? { ...record, committedAtMs: record.timestampMs + 60_000 } : record
      )
    })
  ],
  [
    'an order that is not in the topic is shown',
    /but the topics have no record/,
    history => reading(history, found('order-unheard-of', 'accepted', history.endedAtMs))
  ],
  [
    'a resumed stream repeats an event',
    /the stream showed accepted, .*accepted/,
    history =>
      changingStatus(history, ({ streams }) => ({
        streams: streams.map(stream => ({ ...stream, events: [...stream.events, ...stream.events.slice(0, 1)] }))
      }))
  ],
  [
    'a resumed stream skips an event',
    /the stream showed .*; number/,
    history =>
      changingStatus(history, ({ streams }) => ({
        streams: streams.map(stream => ({ ...stream, events: stream.events.slice(1) }))
      }))
  ],
  [
    'a stream ends before the final status',
    /the stream until final ended after/,
    history =>
      changingStatus(history, ({ streams }) => ({
        streams: streams.map(stream => ({ ...stream, events: stream.events.slice(0, 1), overAtMs: 1 }))
      }))
  ],
  [
    'a stream until the settled status ends while the hold is open',
    /the stream until settled ended after accepted, reserved/,
    history => {
      const held = history.records.find(({ event, transaction }) => transaction === 'committed' && event?.holdUntilMs)
      const orderID = held?.event?.orderID ?? ''
      const events = ['OrderCreated', 'InventoryReserved'].map((type, index) => {
        return { id: `${type}-${orderID}`, status: index === 0 ? 'accepted' : 'reserved', atMs: history.endedAtMs }
      })
      const stream = { orderID, until: 'settled', events, connections: 1, failures: [], overAtMs: 1 } as const
      return changingStatus(history, () => ({ streams: [stream] }))
    }
  ],
  [
    'a list has an order twice',
    /the list of .* has .* after/,
    history =>
      changingStatus(history, ({ lists }) => ({
        lists: lists.map(list => ({ ...list, pages: list.pages.flatMap(page => [page, page]) }))
      }))
  ],
  [
    'a list skips an order between two pages',
    /lacks an order that a list had shown before/,
    history =>
      changingFinal(history, list => ({
        ...list,
        pages: list.pages.map(page => ({ ...page, orders: page.orders.toSpliced(page.orders.length - 1, 1) }))
      }))
  ],
  [
    'a list has an order of another user',
    /has an order that is not of this user/,
    history => changingFinal(history, list => ({ ...list, userID: list.userID === 'user-1' ? 'user-2' : list.userID }))
  ],
  [
    'the last status differs from the topics',
    /at the end its status is accepted; in the topics it is failed/,
    history =>
      changingFinal(history, list => ({
        ...list,
        pages: list.pages.map(page => ({
          ...page,
          orders: page.orders.map(order => (order.status === 'failed' ? { ...order, status: 'accepted' } : order))
        }))
      }))
  ],
  [
    'an order is not listed at the end',
    /at the end its status is not listed; in the topics it is failed/,
    history =>
      changingFinal(history, list => ({
        ...list,
        pages: list.pages.map(page => ({ ...page, orders: page.orders.filter(({ status }) => status !== 'failed') }))
      }))
  ],
  [
    'the orders of a user cannot be listed at the end',
    /could not be listed at the end: status 503/,
    history => changingFinal(history, list => ({ ...list, isComplete: false, failure: 'status 503' }))
  ]
]

for (const [what, summary, plant] of planted) {
  test(`a planted violation is found: ${what}`, () => {
    for (const seed of [3, 8]) assert.match(summaries(plant(clean(seed))).join('\n'), summary)
  })
}

test('an answer that began before another one ended may show an earlier status', () => {
  const history = clean(3)
  const { orderID, atMs } = orderThatIs(history, 'failed')
  const quiet = changingStatus(history, () => ({ reads: [], streams: [], lists: [] }))
  const slow = found(orderID, 'accepted', atMs, atMs + 50)
  const missing = { orderID, sentAtMs: atMs, endedAtMs: atMs + 50, result: { kind: 'missing' } } as const
  assert.deepEqual(summaries(reading(quiet, found(orderID, 'failed', atMs, atMs + 1), slow, missing)), [])
})

test('a stream that sees the release before the confirmation omits the confirmation', () => {
  const history = clean(8)
  const isConfirmed = ({ topic, transaction }: RecordedRecord) =>
    topic === topicNames.inventoryConfirmed && transaction === 'committed'
  const stream = history.records.filter(isConfirmed).flatMap(confirmed => {
    const own = history.records.filter(
      ({ event, transaction, topic, headers }) =>
        event?.orderID === confirmed.event?.orderID &&
        transaction !== 'aborted' &&
        headers['event-id'] !== undefined &&
        [topicNames.ordersCreated, topicNames.inventoryReserved, topicNames.inventoryReleased].includes(topic as never)
    )
    return own.length === 3 ? [own] : []
  })[0]
  assert.ok(stream)
  const order = [topicNames.ordersCreated, topicNames.inventoryReserved, topicNames.inventoryReleased] as string[]
  const statuses = ['accepted', 'reserved', 'cancelled']
  const events = stream
    .toSorted((a, b) => order.indexOf(a.topic) - order.indexOf(b.topic))
    .map(({ headers }, index) => ({ id: headers['event-id'] ?? '', status: statuses[index] ?? '', atMs: 1 }))
  const orderID = stream[0]?.event?.orderID ?? ''
  const one = { orderID, until: 'final', events, connections: 1, failures: [], overAtMs: 2 } as const
  const only = changingStatus(history, () => ({ reads: [], lists: [], streams: [one] }))
  assert.deepEqual(summaries(only), [])
})

test('an order that the projection wrote as a dead letter is not shown', () => {
  const history = clean(3)
  const { orderID } = orderThatIs(history, 'failed')
  const order = history.records.find(
    record => record.topic === topicNames.ordersCreated && record.event?.orderID === orderID
  )
  assert.ok(order)
  const headers = {
    'dlq-stage': 'order-status',
    'dlq-topic': order.topic,
    'dlq-partition': String(order.partition),
    'dlq-offset': String(order.offset)
  }
  const deadLetter: RecordedRecord = { ...order, topic: `${order.topic}.dlq`, offset: 1_000_000, headers }
  const withDeadLetter = { ...history, records: [...history.records, deadLetter] }
  const unlisted = changingStatus(withDeadLetter, ({ lists }) => ({
    reads: [],
    streams: [],
    lists: lists.map(list => ({
      ...list,
      pages: list.pages.map(page => ({ ...page, orders: page.orders.filter(other => other.orderID !== orderID) }))
    }))
  }))
  assert.deepEqual(summaries(unlisted), [])
})
