import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fetchedHeaders } from '@orderly/kafka/testing'
import { lifeOf } from './life.ts'
import type { FoundRecord, OrderTables } from './sources.ts'

const startMs = Date.parse('2026-03-01T12:00:00Z')
const at = (afterMs: number) => new Date(startMs + afterMs)
const nothing: OrderTables = {
  status: undefined,
  key: undefined,
  outcome: undefined,
  lines: [],
  settlements: [],
  deliveries: [],
  audits: []
}
const traceID = 'a'.repeat(32)
const record = (topic: string, eventType: string, afterMs: number): FoundRecord => ({
  eventType,
  record: {
    topic,
    partition: 1,
    offset: 7n,
    timestampMs: startMs + afterMs,
    key: Buffer.from('ada'),
    value: null,
    headers: fetchedHeaders({ traceparent: `00-${traceID}-${'b'.repeat(16)}-01` })
  }
})

test('the life of an order is told in the sequence of its times, wherever it is written', () => {
  const tables: OrderTables = {
    ...nothing,
    status: { user_id: 'ada', accepted_at: at(2), items: [1], total_minor: 100, currency: 'EUR', outcome: 'reserved' },
    key: { key: 'k', state: 'stored', attempt: 1, claimed_at: at(0) },
    outcome: { kind: 'reserved', user_id: 'ada', decided_at: at(20) },
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
        settled_at: at(50)
      }
    ]
  }
  const life = lifeOf('1', tables, [
    record('inventory.reserved', 'InventoryReserved', 30),
    record('orders.created', 'OrderCreated', 10)
  ])
  assert.deepEqual(
    life?.events.map(({ what, where }) => `${what} @ ${where}`),
    [
      'request @ orders.idempotency_keys',
      'accepted @ orders.orders',
      'OrderCreated @ orders.created 1/7',
      'decided: reserved @ inventory.outcomes',
      'InventoryReserved @ inventory.reserved 1/7',
      'to be notified @ notification.deliveries',
      'notification sent @ notification.deliveries'
    ]
  )
  assert.deepEqual([life?.userID, life?.status, life?.traceID], ['ada', 'reserved', traceID])
})

test('an order of which nothing is written has no life', () => {
  assert.equal(lifeOf('1', nothing, []), undefined)
})
