import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { topicNames } from '@orderly/contracts'
import type { ChangeRequestBody, History, OrderEvent, RecordedRecord, SettlementRow } from '../history/history.ts'
import { check } from './check.ts'
import { cleanHistory } from './testing/clean-history.ts'

// Plants violations around cancels, confirmations and holds in clean histories.
const { ordersChanges, inventoryReserved, inventoryFailed, inventoryConfirmed, inventoryReleased } = topicNames

/**
 * Number of the guarantee, name, expected summary, and function that plants the violation in a
 * clean history.
 */
const planted: readonly (readonly [number, string, RegExp, (history: History) => History])[] = [
  [2, 'a release is in the topic twice', /released 2 times/, doubled(inventoryReleased)],
  [2, 'a confirmation is in the topic twice', /confirmed 2 times/, doubled(inventoryConfirmed)],
  [2, 'a cancel had no effect', /cancel in the log at .* never released/, withoutFirst(isRelease('cancelled'))],
  [
    2,
    'an expired hold was never released',
    /expire in the log at .* never released/,
    withoutFirst(isRelease('expired'))
  ],
  [
    2,
    'a confirmation is missing in the topic',
    /confirm in the log at .* never confirmed/,
    withoutFirst(({ topic }) => topic === inventoryConfirmed)
  ],
  [
    2,
    'a release is only in an aborted transaction',
    /never released/,
    changingFirst(isRelease('cancelled'), () => ({ transaction: 'aborted' }))
  ],
  [
    2,
    'an order was released without a change request',
    /released without a change request in the log/,
    history => withRecords(history, records => [...records, releaseOf(untouched(history))])
  ],
  [
    2,
    'the database released an order without a change request',
    /released in the database without a change request in the log/,
    history => withSettlements(history, rows => [...rows, settlementOf(untouched(history))])
  ],
  [
    2,
    'a release is missing in the database',
    /released, but not in the database/,
    history => withSettlements(history, rows => rows.filter(({ kind }) => kind !== 'released'))
  ],
  [
    2,
    'the database attributes a release to another change request than the first',
    /but the database attributes it to/,
    history =>
      withSettlements(history, rows =>
        rows.map(row => (row.kind === 'released' ? { ...row, offset: row.offset + 1 } : row))
      )
  ],
  [
    2,
    'a cancel was published as an expiry',
    /released as expired in the topic and cancelled in the database instead of cancelled/,
    changingFirst(isRelease('cancelled'), ({ event }) => ({ event: { ...event, cause: 'expired' } as OrderEvent }))
  ],
  [
    2,
    'a hold was released before its end',
    /released without a change request in the log/,
    history => {
      const { orderID } = first(history, isRelease('expired')).event as OrderEvent
      return changing(
        history,
        ({ topic, event }) => topic === inventoryReserved && event?.orderID === orderID,
        ({ event }) => ({ event: { ...event, holdUntilMs: (event?.holdUntilMs ?? 0) + 3_600_000 } as OrderEvent })
      )
    }
  ],
  [
    2,
    'a failed order was released',
    /an order that was never reserved has a settlement/,
    history =>
      withRecords(history, records => [
        ...records,
        releaseOf(first(history, ({ topic, transaction }) => topic === inventoryFailed && transaction === 'committed'))
      ])
  ],
  [
    2,
    'an order failed as cancelled without a cancel',
    /failed as cancelled without a cancel in the log/,
    changingFirst(
      ({ topic, event }) => topic === inventoryFailed && event?.reason !== 'CANCELLED',
      ({ event }) => ({ event: { ...event, reason: 'CANCELLED' } as OrderEvent })
    )
  ],
  [
    2,
    'a release has another quantity than the reservation',
    /was reported as 99 × HOT-1/,
    changingFirst(isRelease('cancelled'), ({ event }) => ({
      event: { ...event, items: [{ sku: 'HOT-1', quantity: 99 }] } as OrderEvent
    }))
  ],
  [
    2,
    'a hold ended long ago without an expiry',
    /its hold ended long ago/,
    history => {
      const { orderID } = first(history, isRelease('expired')).event as OrderEvent
      const isGone = ({ topic, event }: RecordedRecord) =>
        event?.orderID === orderID && (topic === inventoryReleased || topic === ordersChanges)
      const quiet = withSettlements(
        withRecords(history, records => records.filter(record => !isGone(record))),
        rows => rows.filter(row => row.orderID !== orderID)
      )
      return { ...quiet, endedAtMs: history.endedAtMs + 3_600_000 }
    }
  ],
  [
    2,
    'a cancel was answered 202, but is not in the log',
    /the cancel was answered 202, but is not in the log/,
    history => withChangeRequest(history, 'cancel', { kind: 'asked' })
  ],
  [
    2,
    'a cancel was answered 200 and has no effect',
    /the cancel was answered 200 and has not taken effect/,
    history => withChangeRequest(history, 'cancel', { kind: 'fulfilled' })
  ],
  [
    2,
    'a confirmation was answered 200 and has no effect',
    /the confirm was answered 200 and has not taken effect/,
    history => withChangeRequest(history, 'confirm', { kind: 'fulfilled' })
  ],
  ...['ORDER_FAILED', 'ORDER_CANCELLED', 'ORDER_EXPIRED', 'NOT_A_REASON'].map(
    code =>
      [
        2,
        `a cancel was wrongly refused with ${code}`,
        new RegExp(`the cancel was wrongly refused with ${code}`),
        (history: History) => withChangeRequest(history, 'cancel', { kind: 'refused', code })
      ] as const
  ),
  [
    4,
    'released stock is not available again',
    /released, but .* are available/,
    history => {
      const sku = first(history, isRelease('cancelled')).event?.items?.[0]?.sku
      const stock = history.tables.stock.map(row =>
        row.sku === sku ? { ...row, available: row.available - 1, reserved: row.reserved + 1 } : row
      )
      return { ...history, tables: { ...history.tables, stock } }
    }
  ],
  [
    5,
    'a released order still has its reservation',
    /released, but .* is still reserved/,
    history => {
      const { orderID, items = [] } = first(history, isRelease('cancelled')).event as OrderEvent
      const held = items.map(line => ({ orderID, ...line }))
      const reservationLines = [...history.tables.reservationLines, ...held]
      return { ...history, tables: { ...history.tables, reservationLines } }
    }
  ],
  [
    6,
    'stock was reserved before its release',
    /despite a shortage of/,
    history => {
      const last = Math.max(...history.tables.outcomes.map(({ sequence }) => sequence))
      return withSettlements(history, rows => rows.map(row => ({ ...row, sequence: row.sequence + last })))
    }
  ],
  [11, 'a release has no notification', /has no notification/, withoutNotification('InventoryReleased')],
  [11, 'a confirmation has no notification', /has no notification/, withoutNotification('InventoryConfirmed')],
  [
    11,
    'an expiry was notified as a cancel',
    /notified as order-cancelled/,
    history => ({
      ...history,
      notifications: history.notifications.map(line =>
        line.kind === 'order-expired' ? { ...line, kind: 'order-cancelled' } : line
      )
    })
  ]
]

describe('a planted violation is found', () => {
  for (const [number, what, says, plant] of planted) {
    test(`guarantee ${number}: ${what}`, () => {
      for (const seed of [4, 11, 12, 27]) {
        const verdict = check(plant(cleanHistory(seed, 400))).find(({ guarantee }) => guarantee === number)
        const summaries = verdict?.violations.map(({ summary }) => summary) ?? []
        assert.ok(
          summaries.some(summary => says.test(summary)),
          `with seed ${seed}: ${summaries[0] ?? 'nothing was found'}`
        )
      }
    })
  }
})

type IsSought = (record: RecordedRecord) => boolean

function isRelease(cause: SettlementRow['cause']): IsSought {
  return ({ topic, transaction, event }) =>
    topic === inventoryReleased && transaction === 'committed' && event?.cause === cause
}

function first({ records }: History, isSought: IsSought): RecordedRecord {
  const found = records.find(isSought)
  assert.ok(found, 'the clean history has no such record')
  return found
}

/** Returns the outcome of a reserved order without change requests. */
function untouched(history: History): RecordedRecord {
  const changed = new Set(
    history.records.filter(({ topic }) => topic === ordersChanges).map(({ event }) => event?.orderID)
  )
  return first(
    history,
    ({ topic, transaction, event }) =>
      topic === inventoryReserved && transaction === 'committed' && !changed.has(event?.orderID)
  )
}

function releaseOf(outcome: RecordedRecord): RecordedRecord {
  const { orderID, userID, items = [] } = outcome.event as OrderEvent
  const event = { orderID, userID, items, cause: 'cancelled' }
  return { ...outcome, topic: inventoryReleased, offset: outcome.offset + 9_000, event }
}

function settlementOf({ event, partition, offset }: RecordedRecord): SettlementRow {
  return { orderID: event?.orderID ?? '', kind: 'released', cause: 'cancelled', sequence: 1_000_000, partition, offset }
}

function withRecords(
  history: History,
  change: (records: readonly RecordedRecord[]) => readonly RecordedRecord[]
): History {
  return { ...history, records: change(history.records) }
}

function withSettlements(
  history: History,
  change: (rows: readonly SettlementRow[]) => readonly SettlementRow[]
): History {
  return { ...history, tables: { ...history.tables, settlements: change(history.tables.settlements) } }
}

function changing(
  history: History,
  isSought: IsSought,
  change: (record: RecordedRecord) => Partial<RecordedRecord>
): History {
  return withRecords(history, records =>
    records.map(record => (isSought(record) ? { ...record, ...change(record) } : record))
  )
}

function changingFirst(isSought: IsSought, change: (record: RecordedRecord) => Partial<RecordedRecord>) {
  return (history: History) => {
    const one = first(history, isSought)
    return changing(history, record => record === one, change)
  }
}

function doubled(topic: string) {
  return (history: History) => {
    const one = first(history, record => record.topic === topic && record.transaction === 'committed')
    return withRecords(history, records => [...records, { ...one, offset: one.offset + 9_000 }])
  }
}

function withoutFirst(isSought: IsSought) {
  return (history: History) => {
    const one = first(history, record => isSought(record) && record.transaction === 'committed')
    const kind = one.topic === inventoryReleased ? 'released' : 'confirmed'
    const isItsRow = (row: SettlementRow) => row.orderID === one.event?.orderID && row.kind === kind
    const silent = withRecords(history, records => records.filter(record => record !== one))
    return withSettlements(silent, rows => rows.filter(row => !isItsRow(row)))
  }
}

/** Adds a client's cancel or confirmation, with its result, of an order without change requests. */
function withChangeRequest(
  history: History,
  changeRequest: ChangeRequestBody['changeRequest'],
  result: ChangeRequestBody['result']
): History {
  const { event } = untouched(history)
  const [any] = history.changeRequests
  assert.ok(any)
  const orderID = event?.orderID ?? ''
  return { ...history, changeRequests: [...history.changeRequests, { ...any, changeRequest, orderID, result }] }
}

function withoutNotification(type: string) {
  return (history: History): History => {
    const reported = history.notifications.find(({ id }) => id.startsWith(type))
    assert.ok(reported)
    return { ...history, notifications: history.notifications.filter(({ id }) => id !== reported.id) }
  }
}
