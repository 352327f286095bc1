import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { OrderTables } from '../orders/sources.ts'
import { foundRecord, noTables } from '../testing/order-traces.ts'
import type { Facts } from './findings.ts'
import { diagnoseOrder } from './order-findings.ts'

const nowMs = 1_700_000_000_000
const facts: Facts = {
  nowMs,
  ...{ kafkaFailure: undefined, databaseFailure: undefined, registryFailure: undefined },
  ...{ bootstrapServers: '', databaseFindings: [] },
  ...{ topics: [], brokers: new Map(), missingTopics: [], groups: [], transactions: [], deadLetters: [], targets: [] },
  ...{ failing: [], exhausted: 0, unpublished: { count: 0, oldestMs: undefined }, incidents: [] },
  ...{ connect: { kind: 'absent' }, alerts: { kind: 'absent' } }
}
const lag = {
  ...{ groupID: 'orders-created', topic: 'orders.created', partition: 1, beginningOffset: 0n },
  ...{ stableOffset: 9n, endOffset: 9n, lagRecords: 0, waitingSinceMs: undefined, member: undefined }
}
const groupAt = (committedOffset: bigint) => [
  { groupID: 'orders-created', state: 'Stable', members: [], lag: [{ ...lag, committedOffset }] }
]
/** Record at offset 7 of orders.created/1. */
const created = foundRecord('orders.created', 'OrderCreated', nowMs - 60_000)
const decided: Partial<OrderTables> = {
  outcome: { kind: 'reserved' },
  status: { accepted_at: new Date(nowMs), outcome: 'reserved' }
}
const header = (name: string, text: string) => [Buffer.from(name), Buffer.from(text)] as const
const delivery = { target: 'smtp', user_id: 'ada b', status: 'due', attempts: 0, code: null, reason: null }

function find(records: Parameters<typeof diagnoseOrder>[0]['records'], tables: Partial<OrderTables>, more?: object) {
  const traces = { orderID: '1', tables: { ...noTables, ...tables }, records }
  return diagnoseOrder(traces, { ...facts, ...more }, { waitingMs: 30_000 }).map(
    ({ severity, about, what, todo }) => `${severity} ${about}: ${what}. ${todo}`
  )
}

test('an order with outcome, status and sent notification has no findings', () => {
  assert.deepEqual(find([created], { ...decided, deliveries: [{ ...delivery, status: 'sent' }] }), [])
})

test('a copied dead letter, or one of an exhausted delivery, is not a separate finding', () => {
  const headers = [header('event-id', 'InventoryReserved-1')]
  const key = { topic: 'audit.dlq', key: Buffer.from('ada') }
  const copies = [{ ...key, deadLetters: [{ code: 'DataException', reason: 'no event', headers, isCopy: true }] }]
  assert.deepEqual(find([created], { ...decided }, { deadLetters: copies }), [])
  const own = { code: 'HTTP_500', reason: 'no', headers: [...headers, header('notification-target', 'smtp')] }
  const deadLetters = [{ ...key, topic: 'notifications.dlq', deadLetters: [own] }]
  const deliveries = [{ ...delivery, status: 'exhausted', attempts: 20, code: 'HTTP_500', reason: 'no' }]
  assert.equal(find([created], { ...decided, deliveries }, { deadLetters }).length, 1)
  assert.match(find([created], decided, { deadLetters })[0] ?? '', /a dead letter in notifications\.dlq/)
})

test('an outcome that the notification service has not read is reported until its delivery exists', () => {
  const reserved = foundRecord('inventory.reserved', 'InventoryReserved', nowMs - 60_000, {
    'event-id': 'InventoryReserved-1'
  })
  const group = { ...groupAt(7n)[0], groupID: 'notifications' }
  const groups = [{ ...group, lag: [{ ...lag, topic: 'inventory.reserved', committedOffset: 7n }] }]
  const [found, ...others] = find([created, reserved], decided, { groups })
  assert.match(found ?? '', /^problem order 1: its InventoryReserved was not notified yet, .*\/1 at 7 for 1m\. /)
  assert.deepEqual(others, [])
  const deliveries = [{ ...delivery, event_id: 'InventoryReserved-1', status: 'sent' }]
  assert.deepEqual(find([created, reserved], { ...decided, deliveries }, { groups }), [])
  const past = [{ ...group, lag: [{ ...lag, topic: 'inventory.reserved', committedOffset: 8n }] }]
  assert.deepEqual(find([created, reserved], decided, { groups: past }), [])
})

test('an accepted order whose record is gone is distinguished from an unknown order', () => {
  const status = { accepted_at: new Date(nowMs), outcome: null, created_partition: 1, created_offset: 7 }
  const skipped = { id: 3, kind: 'offsets_skipped', acknowledged_at: null }
  const acknowledged = { acknowledged_at: new Date(nowMs) }
  const gone = /^\w+ order 1: is accepted, has no outcome, .* not in orders\.created\/1 at 7 any more: /
  for (const [losses, reason] of [
    [[skipped], /^problem .*read it\. have the shop .* new Idempotency-Key, then .*positions acknowledge inventory-3,/],
    [[{ ...skipped, ...acknowledged }], /^hint .* unless it has done so/],
    [[{ ...skipped, kind: 'topic_recreated' }], /^problem .*the topic lost it\. .*acknowledge inventory-3,/],
    [[], /^problem .*retention removed it, or .* this line stays$/]
  ] as const) {
    // An order that was cancelled while undecided has an outcome that is never published.
    for (const tables of [{}, { outcome: { kind: 'failed' } }]) {
      const [found, ...others] = find([], { status, losses: [...losses], ...tables })
      assert.match(found ?? '', gone)
      assert.match(found ?? '', reason)
      assert.deepEqual(others, [])
    }
  }
})

test('the cause that blocks an order is reported with a remedy', () => {
  const deadLetter = { code: 'ORDER_INVALID', reason: 'no items', headers: [header('event-id', 'OrderCreated-1')] }
  const other = { ...deadLetter, headers: [header('event-id', 'OrderCreated-2')] }
  const deadLetters = [{ topic: 'orders.created.dlq', key: Buffer.from("o'hara"), deadLetters: [deadLetter, other] }]
  const failed = { ...delivery, attempts: 1, code: 'ETIMEDOUT', reason: 'no answer' }
  const cases = [
    [find([], {}), /^problem order 1: is unknown\. check the id/],
    [find([], { key: { attempt: 2 } }), /has an idempotency key \(attempt 2\).*not completed\. .*the same key/],
    [find([created], {}, { groups: groupAt(5n) }), /^problem .*orders\.created\/1 at 7 for 1m; preceded by 2 records/],
    [find([created], {}, { groups: groupAt(7n), nowMs: nowMs - 59_000 }), /^hint .* for 1s; it is the next record/],
    [find([created], {}), /preceded by 7 records\. see the findings about group orders-created/],
    [find([created], {}, { groups: groupAt(8n) }), /was read .* and has no outcome\. .*the inventory logged/],
    [
      find([created], {}, { deadLetters }),
      /orders\.created\.dlq \(ORDER_INVALID: no items\)\. npm run orderly -- dlq show .*--key 'o'\\''hara'; .*npm run orderly -- dlq replay/
    ],
    [find([created], { outcome: { kind: 'failed' } }), /is failed, but shops do not see that yet\. .*rebuild-status/],
    [find([created], { ...decided, deliveries: [delivery] }), /^hint .*to smtp has not been attempted yet/],
    [
      find([created], { ...decided, deliveries: [failed] }),
      /has failed 1 time \(ETIMEDOUT: no answer\)\. .*automatically/
    ],
    [find([created], { ...decided, deliveries: [{ ...failed, status: 'exhausted' }] }), /exhausted .*--key 'ada b'/],
    [find([created], { ...decided, deliveries: [{ ...failed, status: 'skipped' }] }), /^hint .* was skipped/]
  ] as const
  for (const [found, expected] of cases) {
    assert.match(found[0] ?? 'nothing', expected)
    assert.equal(found.length, 1)
  }
})
