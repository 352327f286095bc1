import assert from 'node:assert/strict'
import { test } from 'node:test'
import { foundRecord, noTables } from '../testing/order-traces.ts'
import type { OrderTables } from './sources.ts'
import { statusOf, timelineOf } from './timeline.ts'

const startMs = Date.parse('2026-03-01T12:00:00Z')
const at = (afterMs: number) => new Date(startMs + afterMs)
const traceID = 'a'.repeat(32)
const traceparent = `00-${traceID}-${'b'.repeat(16)}-01`
const record = (topic: string, eventType: string, afterMs: number, headers: Record<string, string> = {}) =>
  foundRecord(topic, eventType, startMs + afterMs, { traceparent, ...headers })

test('the timeline contains the events of all sources, sorted by time', () => {
  const tables: OrderTables = {
    ...noTables,
    status: { user_id: 'ada', accepted_at: at(2), items: [1], total_minor: 100, currency: 'EUR', outcome: 'reserved' },
    key: { key: 'k', state: 'stored', attempt: 1, claimed_at: at(0) },
    outcome: { kind: 'reserved', user_id: 'ada', caller: 'berlin', decided_at: at(20) },
    lines: [{ sku: 'MUG', quantity: 2 }],
    deliveries: [
      {
        event_id: 'e',
        target: 'console',
        status: 'sent',
        attempts: 1,
        code: null,
        reason: null,
        accepted_at: at(40),
        finished_at: at(50)
      }
    ]
  }
  const timeline = timelineOf('1', tables, [
    record('inventory.reserved', 'InventoryReserved', 30),
    record('orders.created', 'OrderCreated', 10)
  ])
  assert.deepEqual(
    timeline?.events.map(({ what, where }) => `${what} @ ${where}`),
    [
      'request @ orders.idempotency_keys',
      'accepted @ orders.orders',
      'OrderCreated @ orders.created 1/7',
      'decided: reserved @ inventory.outcomes',
      'InventoryReserved @ inventory.reserved 1/7',
      'notification accepted @ notification.deliveries',
      'notification sent @ notification.deliveries'
    ]
  )
  assert.deepEqual(
    [timeline?.caller, timeline?.userID, timeline?.status, timeline?.traceID],
    ['berlin', 'ada', 'reserved', traceID]
  )
})

test('the timeline of a released order contains the released items and the positions of its audit rows', () => {
  const items = [
    { sku: 'MUG', quantity: 2 },
    { sku: 'TEA', quantity: 1 }
  ]
  const detailsOf = (given: object[], totalMinor: string) =>
    timelineOf(
      '1',
      {
        ...noTables,
        status: { accepted_at: at(0), items: given, total_minor: totalMinor, currency: 'EUR' },
        outcome: { kind: 'reserved', decided_at: at(1) },
        settlements: [{ kind: 'released', cause: 'cancelled', settled_at: at(2) }],
        audits: [
          {
            table: 'audit.orders_created',
            row: { record_topic: 'orders.created', record_partition: 1, record_offset: '7' }
          },
          { table: 'audit.notes', row: {} }
        ]
      },
      []
    )?.events.map(({ detail }) => detail)
  assert.deepEqual(detailsOf(items, '1380'), [
    '2 lines, 1380 minor units EUR',
    '2 × MUG, 1 × TEA',
    'cancelled: 2 × MUG, 1 × TEA',
    'orders.created 1/7',
    ''
  ])
  assert.equal(detailsOf(items.slice(0, 1), '1')?.[0], '1 line, 1 minor unit EUR')
})

test('a change request is listed with its name', () => {
  const headers = { 'event-id': 'OrderChangeRequested-1-cancel', 'dlq-replay': 'r' }
  const timeline = timelineOf('1', noTables, [
    record('orders.created', 'OrderCreated', 0, { 'event-id': 'OrderCreated-1' }),
    record('orders.changes', 'OrderChangeRequested', 1, headers)
  ])
  assert.deepEqual(
    timeline?.events.map(({ detail }) => detail),
    ['', 'cancel, replayed: r']
  )
})

test('the status is the one that the order API returns', () => {
  const row = { accepted_at: at(0) }
  const cases = [
    [undefined, undefined],
    [{ outcome: 'reserved' }, undefined],
    [row, 'accepted'],
    [{ ...row, outcome: 'reserved' }, 'reserved'],
    [{ ...row, outcome: 'failed', reason: 'OUT_OF_STOCK' }, 'failed'],
    [{ ...row, outcome: 'failed', reason: 'CANCELLED' }, 'cancelled'],
    [{ ...row, outcome: 'reserved', confirmed_at: at(1) }, 'confirmed'],
    [{ ...row, outcome: 'reserved', confirmed_at: at(1), released_at: at(2), release_cause: 'cancelled' }, 'cancelled'],
    [{ ...row, outcome: 'reserved', released_at: at(2), release_cause: 'expired' }, 'expired']
  ] as const
  for (const [given, status] of cases) assert.equal(statusOf(given), status)
})

test('an unknown order has no timeline', () => {
  assert.equal(timelineOf('1', noTables, []), undefined)
})
