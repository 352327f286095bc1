import assert from 'node:assert/strict'
import { test } from 'node:test'
import { evaluateChangeRequest } from './change-request.ts'
import type { Order } from './order-status.ts'

const accepted: Order = {
  orderID: '1',
  userID: 'ann',
  created: { items: [], totalMinor: 1, currency: 'EUR', acceptedAtMs: 1 }
}
const awaited: Order = { ...accepted, created: { ...accepted.created, holdSeconds: 60 } }
const reserved: Order = { ...accepted, decided: { kind: 'reserved', decidedAtMs: 2 } }
const held: Order = { ...awaited, decided: { kind: 'reserved', decidedAtMs: 2, holdUntilMs: 60_002 } }
const failedFor = (reason: string): Order => ({
  ...awaited,
  decided: { kind: 'failed', decidedAtMs: 2, reason, shortages: [] }
})
const releasedFor = (cause: string): Order => ({ ...held, released: { releasedAtMs: 3, cause, requestID: 'r' } })
const confirmed: Order = { ...held, confirmed: { confirmedAtMs: 3, requestID: 'c' } }

const verdicts: readonly (readonly [string, Order, cancel: string, confirm: string])[] = [
  ['accepted', accepted, 'open', 'ORDER_HAS_NO_HOLD'],
  ['accepted with a requested hold', awaited, 'open', 'undecided'],
  ['reserved', reserved, 'open', 'ORDER_HAS_NO_HOLD'],
  ['held', held, 'open', 'open'],
  [
    'reserved by an inventory without support for holds',
    { ...awaited, decided: { kind: 'reserved', decidedAtMs: 2 } },
    'open',
    'ORDER_HAS_NO_HOLD'
  ],
  ['confirmed', confirmed, 'open', 'fulfilled'],
  ['failed', failedFor('OUT_OF_STOCK'), 'ORDER_FAILED', 'ORDER_FAILED'],
  ['cancelled before its outcome', failedFor('CANCELLED'), 'fulfilled', 'ORDER_CANCELLED'],
  ['cancelled', releasedFor('cancelled'), 'fulfilled', 'ORDER_CANCELLED'],
  ['cancelled after it was confirmed', { ...confirmed, ...releasedFor('cancelled') }, 'fulfilled', 'ORDER_CANCELLED'],
  ['expired', releasedFor('expired'), 'ORDER_EXPIRED', 'ORDER_EXPIRED']
]

for (const [what, order, cancel, confirm] of verdicts) {
  test(`for an order that is ${what}, a cancel is ${cancel} and a confirmation is ${confirm}`, () => {
    const reported = (changeRequest: 'cancel' | 'confirm') => {
      const verdict = evaluateChangeRequest(changeRequest, order)
      return verdict.kind === 'refused' ? verdict.code : verdict.kind
    }
    assert.deepEqual([reported('cancel'), reported('confirm')], [cancel, confirm])
  })
}
