import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { topicNames } from '@orderly/contracts'
import fc from 'fast-check'
import type { History, RecordedRecord, WebhookAttempt, Webhooks } from '../history/history.ts'
import { check, countViolations, guarantees } from './check.ts'
import { cleanHistory as cleanOrders } from './testing/clean-history.ts'
import { rowOf, withAudit, withAuditRows } from './testing/with-audit.ts'
import { isRate, rateOf, withRates } from './testing/with-rates.ts'
import { changingPolls } from './testing/with-reads.ts'
import { changingStatus, withStatus } from './testing/with-status.ts'
import { withStockChanges } from './testing/with-stock-changes.ts'

const { ordersCreated, ordersChanges, inventoryReserved, inventoryFailed } = topicNames

const cleanHistory = (seed: number, requestCount?: number): History =>
  withStatus(withAudit(withRates(withStockChanges(cleanOrders(seed, requestCount)))))

test('clean histories of any seed and length have no violation', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0 }), fc.integer({ min: 1, max: 200 }), (seed, requestCount) => {
      const broken = check(cleanHistory(seed, requestCount)).filter(({ count }) => count > 0)
      assert.deepEqual(
        broken.flatMap(({ violations }) => violations.map(({ summary }) => summary)),
        []
      )
    }),
    { numRuns: 40 }
  )
})

test('a zombie may run until a broker is available to fence it', () => {
  const history = withZombieOnAwayBroker(cleanHistory(1), { backAtMs: 10_000, endedAtMs: 29_999 })
  assert.deepEqual(
    check(history).flatMap(({ violations }) => violations),
    []
  )
})

test('a slow machine extends the time in which a zombie exits', () => {
  const late = withZombieOnAwayBroker(cleanHistory(1), { backAtMs: 10_000, endedAtMs: 49_000 })
  const machine = [{ atMs: late.startedAtMs + 12_000, slowdown: 2 }]
  const found = (history: History) => check(history).flatMap(({ violations }) => violations)
  assert.equal(found(late).length, 1)
  assert.deepEqual(found({ ...late, machine }), [])
})

test('a refusal of a valid order is a violation of guarantee 1', () => {
  const history = cleanOrders(4)
  const orderID = acceptedID(history)
  const refused = withRequest(history, orderID, { result: { kind: 'failed', status: 400 } })
  const quiet = withoutRecords(refused, record => isOrderOf(record, orderID))
  const summaries = check(quiet).flatMap(({ violations }) => violations.map(({ summary }) => summary))
  assert.ok(summaries.includes('a valid order was refused with 400'))
})

test('a history survives serialization to JSON', () => {
  const history = cleanHistory(1)
  assert.deepEqual(JSON.parse(JSON.stringify(history)), history)
})

test('every guarantee has a planted violation', () => {
  assert.deepEqual(
    [...new Set(planted.map(([number]) => number))].toSorted((a, b) => a - b),
    guarantees.map(({ number }) => number).toSorted((a, b) => a - b)
  )
})

test('a violation has its context: order, request, records, row and faults at that time', () => {
  const history = cleanHistory(4)
  const [row] = history.tables.outcomes.filter(({ kind }) => kind === 'reserved')
  assert.ok(row)
  const broken = withRecords(history, records => [...records, copyOf(outcomeOf(history, row.orderID))])
  const [violation] = check(broken).find(({ guarantee }) => guarantee === 2)?.violations ?? []
  assert.equal(violation?.around.orderID, row.orderID)
  assert.equal(violation.around.outcome?.sequence, row.sequence)
  assert.equal(violation.around.requests.length, 1)
  assert.ok(violation.around.reservation.length > 0)
  assert.ok(violation.around.notifications.length > 0)
  assert.ok(violation.around.faults.length > 0)
  const topics = violation.around.records.map(({ topic }) => topic)
  assert.ok(topics.includes(ordersCreated) && topics.includes(inventoryReserved))
})

/** Number of the guarantee, name, and function that plants the violation in a clean history. */
const planted: readonly (readonly [number, string, (history: History) => History])[] = [
  [
    1,
    'an order answered 202 is not in the topic',
    history => withoutRecords(history, record => isOrderOf(record, acceptedID(history)))
  ],
  [
    1,
    'an order was stored twice under one request',
    history => withRecords(history, records => [...records, copyOf(orderRecord(history, acceptedID(history)))])
  ],
  [
    1,
    'a refused order was stored',
    history => withRequest(history, acceptedID(history), { result: { kind: 'failed', status: 400 } })
  ],
  [
    1,
    'an order was answered under another id',
    history => withRequest(history, acceptedID(history), { result: { kind: 'ok', orderID: 'another' } })
  ],
  [
    1,
    'an order was stored with another quantity',
    history => withRequest(history, acceptedID(history), { items: [{ sku: 'HOT-1', quantity: 77 }] })
  ],
  [
    1,
    'an order was stored with another total',
    history => withRequest(history, acceptedID(history), { totalMinor: 999_999 })
  ],
  [1, 'an invalid order was accepted', history => withRequest(history, acceptedID(history), { defect: 'no-items' })],
  [
    1,
    'two attempts under one idempotency key became two orders',
    history => {
      const [first, second] = decidedIDs(history)
      return withRequest(withRequest(history, first, { idempotencyKey: 'key' }), second, { idempotencyKey: 'key' })
    }
  ],
  [1, 'an order without a request was stored', history => ({ ...history, requests: history.requests.slice(1) })],
  [
    2,
    'an order has no outcome',
    history => withoutRecords(history, record => isOutcomeOf(record, acceptedID(history)))
  ],
  [
    2,
    'an order has two outcomes of one kind',
    history => withRecords(history, records => [...records, copyOf(outcomeOf(history, acceptedID(history)))])
  ],
  [
    2,
    'an order is reserved and failed',
    history =>
      withRecords(history, records => {
        const outcome = outcomeOf(history, acceptedID(history))
        return [
          ...records,
          { ...copyOf(outcome), topic: outcome.topic === inventoryReserved ? inventoryFailed : inventoryReserved }
        ]
      })
  ],
  [
    2,
    'an outcome is only in an aborted transaction',
    history =>
      withRecords(history, records =>
        records.map(record =>
          isOutcomeOf(record, acceptedID(history)) ? { ...record, transaction: 'aborted' } : record
        )
      )
  ],
  [
    2,
    'topic and database have different outcomes',
    history =>
      withTables(history, ({ outcomes }) => ({
        outcomes: outcomes.map(row =>
          row.orderID === acceptedID(history) ? { ...row, kind: row.kind === 'failed' ? 'reserved' : 'failed' } : row
        )
      }))
  ],
  [
    2,
    'an order has an outcome and a dead letter',
    history =>
      withRecords(history, records => {
        const order = orderRecord(history, acceptedID(history))
        const deadLetter = {
          ...order,
          topic: `${ordersCreated}.dlq`,
          offset: 9_000,
          headers: {
            'dlq-topic': ordersCreated,
            'dlq-partition': String(order.partition),
            'dlq-offset': String(order.offset),
            'dlq-reason': 'why not',
            'dlq-stage': 'inventory'
          }
        }
        return [...records, deadLetter]
      })
  ],
  [3, 'an outcome has no order', history => withoutRecords(history, record => isOrderOf(record, acceptedID(history)))],
  [3, 'a reader did not return a record', history => changingPolls(history, 'java-1', polls => polls.slice(1))],
  [
    3,
    'a notification reports an outcome that was never committed',
    history => ({
      ...history,
      notifications: history.notifications.map((line, index) =>
        index === 0 ? { ...line, id: 'InventoryReserved-nothing' } : line
      )
    })
  ],
  [
    3,
    'the database decided an order that is not in the topic',
    history =>
      withTables(history, ({ outcomes }) => ({
        outcomes: outcomes.map((row, index) => (index === 0 ? { ...row, orderID: 'nothing' } : row))
      }))
  ],
  [4, 'a piece is lost', history => withStock(history, row => ({ ...row, available: row.available - 1 }))],
  [
    4,
    'stock is negative',
    history => withStock(history, row => ({ ...row, available: -1, reserved: row.reserved + row.available + 1 }))
  ],
  [
    4,
    'more stock is reserved than the reservations of orders',
    history => withStock(history, row => ({ ...row, available: row.available - 1, reserved: row.reserved + 1 }))
  ],
  [4, 'the stock row of a SKU is missing', history => withTables(history, ({ stock }) => ({ stock: stock.slice(1) }))],
  [
    4,
    'a SKU without initial stock has a stock row',
    history => withTables(history, ({ stock }) => ({ stock: [...stock, { sku: 'NEW', available: 1, reserved: 0 }] }))
  ],
  [
    5,
    'a reserved order has no reservation',
    history =>
      withTables(history, ({ reservationLines }) => ({
        reservationLines: reservationLines.filter(({ orderID }) => orderID !== reservationLines[0]?.orderID)
      }))
  ],
  [
    5,
    'the reservation of an order has another quantity',
    history =>
      withTables(history, ({ reservationLines }) => ({
        reservationLines: reservationLines.map((line, index) =>
          index === 0 ? { ...line, quantity: line.quantity + 1 } : line
        )
      }))
  ],
  [
    5,
    'a failed order has a reservation',
    history => {
      const failed = history.tables.outcomes.find(({ kind }) => kind === 'failed')?.orderID ?? 'order-1'
      return withTables(history, ({ reservationLines }) => ({
        reservationLines: [...reservationLines, { orderID: failed, sku: 'HOT-1', quantity: 1 }]
      }))
    }
  ],
  [
    5,
    'an outcome has other quantities than the order',
    history =>
      withRecords(history, records =>
        records.map(record =>
          record.topic === inventoryReserved && record.event
            ? { ...record, event: { ...record.event, items: [{ sku: 'HOT-1', quantity: 99 }] } }
            : record
        )
      )
  ],
  [6, 'an order failed despite sufficient stock', history => withoutChanges(history, 1_000_000)],
  [6, 'an order was reserved despite a shortage', history => withoutChanges(history, 0)],
  [
    6,
    'a shortage has a wrong available quantity',
    history =>
      withTables(history, ({ outcomes }) => ({
        outcomes: outcomes.map(row =>
          row.shortages
            ? { ...row, shortages: row.shortages.map(short => ({ ...short, available: short.available + 1 })) }
            : row
        )
      }))
  ],
  [
    6,
    'an order for an unknown SKU was reported as out of stock',
    history =>
      withTables(history, ({ outcomes }) => ({
        outcomes: outcomes.map(row => (row.reason === 'UNKNOWN_SKU' ? { ...row, reason: 'OUT_OF_STOCK' } : row))
      }))
  ],
  [
    7,
    "a user's outcomes are swapped",
    history => {
      const [first, second] = twoOutcomesOfOneUser(history)
      return withRecords(history, records =>
        records.map(record =>
          record === first
            ? ({ ...record, event: second.event, headers: second.headers } as RecordedRecord)
            : record === second
              ? ({ ...record, event: first.event, headers: first.headers } as RecordedRecord)
              : record
        )
      )
    }
  ],
  [
    7,
    "a user's decisions are swapped",
    history => {
      const [first, second] = twoOutcomesOfOneUser(history)
      const sequenceOf = (record: RecordedRecord) =>
        history.tables.outcomes.find(({ orderID }) => orderID === record.event?.orderID)?.sequence ?? 0
      const swapped = new Map([
        [first.event?.orderID, sequenceOf(second)],
        [second.event?.orderID, sequenceOf(first)]
      ])
      return withTables(history, ({ outcomes }) => ({
        outcomes: outcomes.map(row => ({ ...row, sequence: swapped.get(row.orderID) ?? row.sequence }))
      }))
    }
  ],
  [
    7,
    'an outcome has another key',
    history =>
      withRecords(history, records =>
        records.map(record => (isOutcomeOf(record, acceptedID(history)) ? { ...record, key: 'somebody' } : record))
      )
  ],
  [
    7,
    "a user's outcomes are in two partitions",
    history => {
      const [first] = twoOutcomesOfOneUser(history)
      return withRecords(history, records =>
        records.map(record =>
          record === first ? { ...record, partition: record.partition + 1, offset: 9_000 } : record
        )
      )
    }
  ],
  [
    7,
    'an order overtook another of its user',
    history => {
      const [first, second] = twoOutcomesOfOneUser(history).map(({ event }) => event?.orderID ?? '')
      const early = { sentAtMs: history.startedAtMs - 10, endedAtMs: history.startedAtMs - 5 }
      return withRequest(withRequest(history, second ?? '', early), first ?? '', {
        sentAtMs: history.startedAtMs,
        endedAtMs: history.startedAtMs + 9
      })
    }
  ],
  [
    8,
    'the committed offset of a group decreased',
    history => ({
      ...history,
      offsetCommits: [
        ...history.offsetCommits,
        { ...history.offsetCommits[0], offset: 0 } as History['offsetCommits'][number]
      ]
    })
  ],
  [
    8,
    'a group committed past an unprocessed record',
    history => withoutRecords(history, record => isOutcomeOf(record, acceptedID(history)))
  ],
  [
    8,
    'a group committed past the end of a partition',
    history => ({
      ...history,
      offsetCommits: [
        ...history.offsetCommits,
        { ...history.offsetCommits[0], offset: 1_000_000 } as History['offsetCommits'][number]
      ]
    })
  ],
  [
    9,
    'a minute was published with one order too few',
    history =>
      withRecords(history, records =>
        records.map(record => {
          if (!isRate(record) || !rateOf(record).isFinal) return record
          const rate = { ...rateOf(record), orders: rateOf(record).orders - 1 }
          return { ...record, event: rate as never, valueDigest: JSON.stringify(rate) }
        })
      )
  ],
  [10, 'a record has no row', history => withAuditRows(history, rows => rows.slice(1))],
  [
    10,
    'a record has two rows',
    history =>
      withAuditRows(history, rows => [...rows, ...rows.filter(({ topic }) => topic === ordersCreated).slice(3, 4)])
  ],
  [
    10,
    'a record of an aborted transaction is a row',
    history => {
      const record = { ...orderRecord(history, acceptedID(history)), offset: 77_000, transaction: 'aborted' as const }
      const seen = withRecords(history, records => [...records, record])
      return withAuditRows(seen, rows => [...rows, rowOf(record)])
    }
  ],
  [
    10,
    'a row has another quantity than its event',
    history =>
      withAuditRows(history, rows =>
        rows.map(row => ('items' in row.columns ? { ...row, columns: { ...row.columns, items: [] } } : row))
      )
  ],
  [
    10,
    'a row has a wrong trace',
    history =>
      withAuditRows(history, rows => rows.map(row => ({ ...row, columns: { ...row.columns, traceparent: 'none' } })))
  ],
  [
    10,
    'a column is missing although events differ in it',
    history =>
      withAuditRows(history, rows =>
        rows.map(row => {
          const { order_id: _, ...columns } = row.columns
          return { ...row, columns }
        })
      )
  ],
  [
    10,
    'an order is a dead letter of the connector',
    history => {
      const { topic, partition, offset } = orderRecord(history, acceptedID(history))
      const audit = history.audit as NonNullable<History['audit']>
      const rows = audit.rows.filter(row => row.topic !== topic || row.partition !== partition || row.offset !== offset)
      return { ...history, audit: { rows, setAside: [...audit.setAside, { topic, partition, offset }] } }
    }
  ],
  [
    10,
    'poison was skipped without a dead letter of the connector',
    history => {
      const record = { ...orderRecord(history, acceptedID(history)), offset: 77_000, key: 'poisoned' }
      return withRecords(history, records => [...records, { ...record, event: undefined as never }])
    }
  ],
  [
    10,
    'a rate has a row, but was never in its topic',
    history => withAuditRows(history, rows => rows.map(row => (isRateRow(row) ? { ...row, key: 'another' } : row)))
  ],
  [
    11,
    'an outcome has no notification',
    history => ({
      ...history,
      notifications: history.notifications.filter(({ orderID }) => orderID !== history.notifications[0]?.orderID)
    })
  ],
  [
    11,
    'a notification has the wrong kind',
    history => ({
      ...history,
      notifications: history.notifications.map(line => ({
        ...line,
        kind: line.kind === 'order-failed' ? 'order-reserved' : 'order-failed'
      }))
    })
  ],
  [
    11,
    'an outcome was notified under two ids',
    history => ({
      ...history,
      notifications: [
        ...history.notifications,
        { ...history.notifications[0], id: 'other' } as History['notifications'][number]
      ]
    })
  ],
  [
    12,
    'a zombie committed',
    history => ({
      ...history,
      passes: [
        ...history.passes,
        { pid: 100, atMs: history.startedAtMs + 4_100, point: 'before-commit' },
        { pid: 100, atMs: history.startedAtMs + 4_200, point: 'after-commit' }
      ]
    })
  ],
  [
    12,
    'a zombie without passes of before-commit committed twice',
    history => ({
      ...history,
      passes: [4_010, 4_500].map(atMs => ({ pid: 100, atMs: history.startedAtMs + atMs, point: 'after-commit' }))
    })
  ],
  [
    12,
    'a zombie does not exit',
    history => ({
      ...history,
      incarnations: history.incarnations.map(({ endedAtMs: _, ...incarnation }) => incarnation)
    })
  ],
  [
    12,
    'a zombie does not exit after its broker is available again',
    history => withZombieOnAwayBroker(history, { backAtMs: 10_000, endedAtMs: 30_001 })
  ],
  [
    12,
    'an old epoch was written after a newer one',
    history =>
      withRecords(history, records => {
        const [last] = records.filter(({ producerEpoch }) => producerEpoch > 0).slice(-1)
        return last
          ? [...records, { ...last, offset: last.offset + 9_000, transaction: 'aborted', producerEpoch: 0 }]
          : records
      })
  ],
  [
    13,
    'recovery took too long',
    history => ({ ...history, recoveries: [{ healedAtMs: 0, kinds: ['kill'], boundMs: 15_000, tookMs: 15_001 }] })
  ],
  [
    13,
    'the pipeline did not recover',
    history => ({ ...history, recoveries: [{ healedAtMs: 0, kinds: ['kill'], boundMs: 15_000, missing: 'lag' }] })
  ],
  [
    13,
    'a last stable offset is below the high watermark',
    history => ({
      ...history,
      partitions: history.partitions.map((end, index) =>
        index === 0 ? { ...end, lastStableOffset: end.highWatermark - 1 } : end
      )
    })
  ],
  [
    13,
    'a group has not processed everything',
    history => ({ ...history, offsetCommits: history.offsetCommits.filter(({ group }) => group !== 'notifications') })
  ],
  [
    11,
    'an endpoint never accepted an outcome that has no dead letter',
    history =>
      withWebhooks(history, ([first, ...others]) => [
        { ...(first as WebhookAttempt), answer: 500 },
        ...others.filter(({ id }) => id !== first?.id)
      ])
  ],
  [11, 'an endpoint received nothing', history => withWebhooks(history, () => [])],
  [
    11,
    'a webhook was not signed',
    history =>
      withWebhooks(history, ([first, ...others]) => [{ ...(first as WebhookAttempt), isSigned: false }, ...others])
  ],
  [
    11,
    'a webhook was sent again with another body',
    history => withWebhooks(history, all => [...all, { ...(all[0] as WebhookAttempt), bodyDigest: 'other' }])
  ],
  [
    11,
    'a webhook was sent again under another id',
    history => withWebhooks(history, all => [...all, { ...(all[0] as WebhookAttempt), id: 'other' }])
  ],
  [
    11,
    'a webhook became a dead letter after one attempt',
    history => ({
      ...history,
      webhooks: {
        ...(history.webhooks as Webhooks),
        exhausted: [{ id: 'InventoryReserved-1', target: 'webhook:shop', attempts: 1, code: 'HTTP_500', reason: 'why' }]
      }
    })
  ],
  [
    14,
    'poison has no dead letter',
    history => withoutRecords(history, ({ topic }) => topic === `${ordersCreated}.dlq`)
  ],
  [
    14,
    'poison among change requests has no dead letter',
    history =>
      withoutRecords(
        withPoisonedChange(history),
        ({ topic, offset }) => topic === `${ordersChanges}.dlq` && offset === 7_001
      )
  ],
  [
    14,
    'a later change request of a blocked key has no dead letter',
    history => {
      const poisoned = withPoisonedChange(history)
      const change = poisoned.records.find(({ topic, offset }) => topic === ordersChanges && offset === 7_000)
      const order = orderRecord(history, acceptedID(history))
      return withRecords(poisoned, records => [
        ...records,
        { ...order, ...change, offset: 7_002, event: order.event } as RecordedRecord
      ])
    }
  ],
  [
    14,
    'a valid change request became a dead letter',
    history =>
      withRecords(history, records => {
        const change = records.find(
          ({ topic, event }) => topic === ordersChanges && event !== undefined && event.change !== 'expire'
        )
        return [...records, deadLetterOf(change as RecordedRecord, 9_000)]
      })
  ],
  [
    14,
    'poison has two dead letters',
    history =>
      withRecords(history, records => [...records, ...deadLetters(records).map(deadLetter => copyOf(deadLetter))])
  ],
  [
    14,
    'a dead letter has no reason',
    history =>
      withRecords(history, records =>
        records.map(record =>
          record.topic.endsWith('.dlq') ? { ...record, headers: { ...record.headers, 'dlq-reason': '' } } : record
        )
      )
  ],
  [
    14,
    'a dead letter has another value than its record',
    history =>
      withRecords(history, records =>
        records.map(record => (record.topic.endsWith('.dlq') ? { ...record, valueDigest: 'other' } : record))
      )
  ],
  [
    14,
    'acknowledged poison is lost',
    history => ({
      ...history,
      poison: [
        ...history.poison,
        { id: 'lost', topic: ordersCreated, key: 'mallory-1', writtenAtMs: 0, acknowledged: true }
      ]
    })
  ],
  [
    14,
    'a later order of a blocked key has no dead letter',
    history => {
      const key = deadLetters(history.records)[0]?.key ?? ''
      const later = history.records.findLast(
        ({ topic, event }) => topic === ordersCreated && event !== undefined
      ) as RecordedRecord
      const poison = deadLetters(history.records)[0] as RecordedRecord
      const origin = history.records.find(
        ({ topic, partition, key: own }) => topic === ordersCreated && partition === poison.partition && own === key
      ) as RecordedRecord
      return withRecords(history, records => [
        ...records,
        { ...later, key, partition: origin.partition, offset: 8_000 }
      ])
    }
  ],
  [
    14,
    'a valid order became a dead letter',
    history =>
      withRecords(history, records => {
        const order = orderRecord(history, acceptedID(history))
        return [...records, deadLetterOf(order, 9_000)]
      })
  ],
  [
    14,
    'dead letters are out of order',
    history =>
      withRecords(history, records =>
        records.map(record => (record.topic.endsWith('.dlq') ? { ...record, offset: 10_000 - record.offset } : record))
      )
  ],
  [
    17,
    'an order is not listed at the end',
    history =>
      changingStatus(history, ({ lists }) => ({
        lists: lists.map(list => (list.isFinal ? { ...list, pages: [] } : list))
      }))
  ]
]

describe('a planted violation is found', () => {
  for (const [number, what, plant] of planted) {
    test(`guarantee ${number}: ${what}`, () => {
      for (const seed of [4, 11, 12, 27]) {
        const verdicts = check(plant(cleanHistory(seed, 150)))
        const verdict = verdicts.find(({ guarantee }) => guarantee === number)
        assert.ok((verdict?.count ?? 0) > 0, `not found with seed ${seed}`)
        assert.ok(countViolations(verdicts) > 0)
        for (const { summary } of verdict?.violations ?? []) assert.ok(summary.length > 10)
      }
    })
  }
})

function withWebhooks(
  history: History,
  change: (attempts: readonly WebhookAttempt[]) => readonly WebhookAttempt[]
): History {
  const webhooks = history.webhooks as Webhooks
  return { ...history, webhooks: { ...webhooks, attempts: change(webhooks.attempts) } }
}

/** Returns the dead letter that a stage writes for a record. */
function deadLetterOf(record: RecordedRecord, offset: number): RecordedRecord {
  return {
    ...record,
    topic: `${record.topic}.dlq`,
    offset,
    headers: {
      'dlq-topic': record.topic,
      'dlq-partition': String(record.partition),
      'dlq-offset': String(record.offset),
      'dlq-reason': 'why not',
      'dlq-stage': 'inventory'
    }
  }
}

/** Adds a poison record to the change requests at offset 7,000 and its dead letter at 7,001. */
function withPoisonedChange(history: History): History {
  const { event: _, ...order } = orderRecord(history, acceptedID(history))
  const poison = {
    ...order,
    topic: ordersChanges,
    key: 'trudy-3',
    offset: 7_000,
    headers: { 'verify-poison': 'planted' }
  }
  return withRecords(history, records => [...records, poison, deadLetterOf(poison, 7_001)])
}

function decidedIDs(history: History): [string, string] {
  const accepted = new Set(history.requests.map(({ result }) => (result.kind === 'ok' ? result.orderID : '')))
  const ids = history.tables.outcomes.map(({ orderID }) => orderID).filter(orderID => accepted.has(orderID))
  return [ids[3] ?? '', ids[9] ?? '']
}

const isRateRow = ({ topic, offset }: { topic: string; offset: number }) => topic === topicNames.orderRate && offset < 0

const acceptedID = (history: History): string => decidedIDs(history)[0]

const isOrderOf = ({ topic, event }: RecordedRecord, orderID: string) =>
  topic === ordersCreated && event?.orderID === orderID

const isOutcomeOf = ({ topic, event, transaction }: RecordedRecord, orderID: string) =>
  topic.startsWith('inventory.') && transaction === 'committed' && event?.orderID === orderID

function orderRecord({ records }: History, orderID: string): RecordedRecord {
  return records.find(record => isOrderOf(record, orderID)) as RecordedRecord
}

function outcomeOf({ records }: History, orderID: string): RecordedRecord {
  return records.find(record => isOutcomeOf(record, orderID)) as RecordedRecord
}

const copyOf = (record: RecordedRecord): RecordedRecord => ({ ...record, offset: record.offset + 9_000 })

const deadLetters = (records: readonly RecordedRecord[]) =>
  records.filter(({ topic }) => topic === `${ordersCreated}.dlq`)

function twoOutcomesOfOneUser({ records, requests }: History): [RecordedRecord, RecordedRecord] {
  const accepted = new Set(requests.map(({ result }) => (result.kind === 'ok' ? result.orderID : '')))
  const outcomes = records.filter(
    ({ topic, transaction, event }) =>
      topic === inventoryReserved && transaction === 'committed' && accepted.has(event?.orderID ?? '')
  )
  const pair = [...Map.groupBy(outcomes, ({ key }) => key).values()].find(own => own.length > 1)
  return pair?.slice(0, 2) as [RecordedRecord, RecordedRecord]
}

function withRecords(
  history: History,
  change: (records: readonly RecordedRecord[]) => readonly RecordedRecord[]
): History {
  return { ...history, records: change(history.records) }
}

function withoutRecords(history: History, isGone: (record: RecordedRecord) => boolean): History {
  return withRecords(history, records => records.filter(record => !isGone(record)))
}

function withRequest(history: History, orderID: string, change: Partial<History['requests'][number]>): History {
  const requests = history.requests.map(request =>
    request.result.kind === 'ok' && request.result.orderID === orderID ? { ...request, ...change } : request
  )
  return { ...history, requests }
}

function withTables(history: History, change: (tables: History['tables']) => Partial<History['tables']>): History {
  return { ...history, tables: { ...history.tables, ...change(history.tables) } }
}

/** Makes a broker unavailable when the zombie of the clean history resumes, after 4 s. */
function withZombieOnAwayBroker(
  history: History,
  { backAtMs, endedAtMs }: { backAtMs: number; endedAtMs: number }
): History {
  const { startedAtMs, faults, incarnations } = history
  const away = { kind: 'restart-broker', target: 'kafka-1', startedAtMs: startedAtMs + 3_900 }
  return {
    ...history,
    faults: [...faults, { ...away, endedAtMs: startedAtMs + backAtMs }],
    incarnations: incarnations.map(incarnation =>
      incarnation.pid === 100 ? { ...incarnation, endedAtMs: startedAtMs + endedAtMs } : incarnation
    )
  }
}

/** Replaces all stock movements by those that put this number of pieces of each SKU in. */
function withoutChanges(history: History, pieces: number): History {
  const seeds = history.tables.movements?.filter(({ kind }) => kind === 'seed') ?? []
  return withTables(history, () => ({ movements: seeds.map(row => ({ ...row, delta: pieces, available: pieces })) }))
}

function withStock(
  history: History,
  change: (row: History['tables']['stock'][number]) => History['tables']['stock'][number]
): History {
  return withTables(history, ({ stock }) => ({ stock: stock.map((row, index) => (index === 0 ? change(row) : row)) }))
}
