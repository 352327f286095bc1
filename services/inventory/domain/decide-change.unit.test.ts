import assert from 'node:assert/strict'
import { test } from 'node:test'
import { orderChangeRequested } from '@orderly/contracts/testing'
import { type ChangeKind, type ChangeToDecide, InvalidChangeError, toChange } from './change.ts'
import { decideBatch } from './decide-batch.ts'
import type { OrderState } from './decide-change.ts'
import type { Outcome, Stamp } from './decide-order.ts'
import { at } from './testing/decide.ts'

const identity = { orderID: '1', userID: 'ann' }
const items = [{ sku: 'mug', quantity: 2 }]

function reserved(holdUntilMs: number | null): ReadonlyMap<string, OrderState> {
  const outcome: Outcome = { kind: 'reserved', event: { ...identity, items, decidedAtMs: 1, holdUntilMs, sequence: 1 } }
  return new Map([['1', { outcome }]])
}

const failed: ReadonlyMap<string, OrderState> = new Map([
  [
    '1',
    {
      outcome: {
        kind: 'failed',
        event: { ...identity, reason: 'OUT_OF_STOCK', shortages: [], decidedAtMs: 1, sequence: 1 }
      }
    } satisfies OrderState
  ]
])

let offset = 0
function ask(change: ChangeKind, requestedAtMs = 5): ChangeToDecide {
  const requestID = `request-${offset}`
  return { ...identity, change, requestedAtMs, requestID, position: { partition: 0, offset: offset++ } }
}

function decideChanges(known: ReadonlyMap<string, OrderState>, changes: readonly ChangeToDecide[], stamp: Stamp) {
  const { changes: decided, fresh } = decideBatch(known, new Map(), { orders: [], changes }, stamp)
  return { decided, ...fresh }
}

/** Returns the effect of each change; for a release, with its cause. */
function effects(known: ReadonlyMap<string, OrderState>, ...changes: ChangeToDecide[]): string[] {
  return decideChanges(known, changes, at(9)).decided.map(({ effect, settlement }) =>
    settlement?.kind === 'released' ? `released ${settlement.event.cause}` : effect
  )
}

test('cancelling a reserved order twice releases its stock once', () => {
  const change = ask('cancel')
  const { decided, settlements, outcomes } = decideChanges(reserved(null), [change, ask('cancel')], at(9))
  const event = { ...identity, items, cause: 'cancelled', releasedAtMs: 9, requestID: change.requestID, sequence: 0 }
  const settlement = { kind: 'released', position: change.position, event } as const
  assert.deepEqual(decided, [
    { effect: 'released', settlement, isReplay: false },
    { effect: 'none', isReplay: false }
  ])
  assert.deepEqual(settlements, [settlement])
  assert.deepEqual(outcomes, [])
})

test('cancelling an undecided order records a failed outcome and no settlement', () => {
  const { decided, outcomes, settlements } = decideChanges(new Map(), [ask('cancel'), ask('cancel')], at(9))
  assert.deepEqual(
    decided.map(({ effect }) => effect),
    ['cancelled', 'none']
  )
  const event = { ...identity, reason: 'CANCELLED', shortages: [], decidedAtMs: 9, sequence: 0 }
  assert.deepEqual(outcomes, [{ kind: 'failed', event }])
  assert.deepEqual(settlements, [])
  assert.deepEqual(effects(new Map(), ask('confirm'), ask('expire')), ['none', 'none'])
})

test('a failed order is never changed', () => {
  assert.deepEqual(effects(failed, ask('cancel'), ask('confirm'), ask('expire')), ['none', 'none', 'none'])
})

test('of a confirmation and an expiry of one hold, the first takes effect and the second changes nothing', () => {
  assert.deepEqual(effects(reserved(5), ask('confirm'), ask('expire')), ['confirmed', 'none'])
  assert.deepEqual(effects(reserved(5), ask('expire'), ask('confirm')), ['released expired', 'none'])
  assert.deepEqual(effects(reserved(5), ask('confirm'), ask('confirm')), ['confirmed', 'none'])
})

test('a hold that had not ended at the time of the expiry request continues', () => {
  assert.deepEqual(effects(reserved(6), ask('expire', 5), ask('expire', 6)), ['none', 'released expired'])
})

test('an order without a hold can neither expire nor be confirmed', () => {
  assert.deepEqual(effects(reserved(null), ask('confirm'), ask('expire', 1e12)), ['none', 'none'])
})

test('a cancel releases a hold, confirmed or not, and later changes do not release it again', () => {
  assert.deepEqual(effects(reserved(5), ask('cancel'), ask('expire')), ['released cancelled', 'none'])
  const all = [ask('confirm'), ask('cancel'), ask('expire'), ask('cancel')]
  assert.deepEqual(effects(reserved(5), ...all), ['confirmed', 'released cancelled', 'none', 'none'])
})

test('a record that is read again gets the same settlement, and other records get none', () => {
  const [confirm, cancel] = [ask('confirm'), ask('cancel')]
  const first = decideChanges(reserved(5), [confirm, cancel], at(9))
  const outcome = reserved(5).get('1')?.outcome as Outcome
  const [confirmed, released] = first.settlements
  assert.ok(confirmed && released)
  const known = new Map([['1', { outcome, confirmed, released }]])
  const again = decideChanges(known, [confirm, cancel, ask('confirm'), ask('cancel')], at(77))
  assert.deepEqual(again.decided.slice(0, 2), [
    { effect: 'confirmed', settlement: confirmed, isReplay: true },
    { effect: 'released', settlement: released, isReplay: true }
  ])
  assert.deepEqual(
    again.decided.slice(2).map(({ effect }) => effect),
    ['none', 'none']
  )
  assert.deepEqual([again.settlements, again.outcomes], [[], []])
})

test('a record with another request id at the position of an old record gets no settlement', () => {
  const cancel = ask('cancel')
  const [released] = decideChanges(reserved(null), [cancel], at(9)).settlements
  assert.ok(released)
  const known = new Map([['1', { ...(reserved(null).get('1') as OrderState), released }]])
  const elsewhere = { ...ask('cancel'), position: cancel.position }
  assert.deepEqual(decideChanges(known, [elsewhere], at(10)).decided, [{ effect: 'none', isReplay: false }])
})

test('a record copied to the same position of a recreated topic gets no settlement', () => {
  const position = { topicID: 'before', partition: 0, offset: 1 }
  const cancel = { ...ask('cancel'), position }
  const [released] = decideChanges(reserved(null), [cancel], at(9)).settlements
  assert.ok(released)
  const known = new Map([['1', { ...(reserved(null).get('1') as OrderState), released }]])
  const copied = { ...cancel, position: { ...position, topicID: 'now' } }
  assert.deepEqual(effects(known, copied, cancel), ['none', 'released cancelled'])
})

test('another record with the id of a decided request changes nothing, whatever change it requests', () => {
  const confirm = ask('confirm')
  const repeated = { ...ask('confirm'), requestID: confirm.requestID }
  const misused = { ...ask('cancel'), requestID: confirm.requestID }
  assert.deepEqual(effects(reserved(5), confirm, repeated, misused), ['confirmed', 'none', 'none'])
})

test('a settlement that was rebuilt from its event has no position and is published for no record', () => {
  const cancel = ask('cancel')
  const [released] = decideChanges(reserved(null), [cancel], at(9)).settlements
  assert.ok(released)
  const { position: _, ...rebuilt } = released
  const known = new Map([['1', { ...(reserved(null).get('1') as OrderState), released: rebuilt }]])
  assert.deepEqual(effects(known, cancel, ask('cancel')), ['none', 'none'])
})

test('a request of version 1 gets the same derived id on every read', () => {
  const position = { partition: 0, offset: 1 }
  const request = orderChangeRequested({ requestID: '', requestedAtMs: 5 })
  const { requestID } = toChange(request, undefined, position)
  assert.match(requestID, /^[0-9a-f-]{36}$/)
  assert.equal(toChange(request, undefined, { partition: 7, offset: 7 }).requestID, requestID)
  assert.notEqual(toChange({ ...request, requestedAtMs: 6 }, undefined, position).requestID, requestID)
})

test('an unknown change and unusable ids are refused', () => {
  const position = { partition: 0, offset: 1 }
  assert.equal(toChange(orderChangeRequested({ change: 'confirm' }), 'berlin', position).change, 'confirm')
  const wrongs = [
    { change: 'refund' },
    { orderID: '' },
    { userID: 'a\0' },
    { userID: 'a\u001fb' },
    { requestID: 'a\0' }
  ]
  for (const wrong of wrongs) {
    assert.throws(() => toChange(orderChangeRequested(wrong), undefined, position), InvalidChangeError)
  }
  for (const caller of ['', 'a\0', 'a\u001fb']) {
    assert.throws(() => toChange(orderChangeRequested({ change: 'cancel' }), caller, position), {
      code: 'CHANGE_INVALID',
      message: /its caller is empty, or contains a NUL character or U\+001F/
    })
  }
})

test('a settlement has the caller of its order, whichever caller the change request names', () => {
  const outcome = { ...(reserved(5).get('1') as OrderState).outcome, caller: 'berlin' }
  const changes = [{ ...ask('confirm'), caller: 'paris' }, ask('cancel')]
  const { settlements } = decideChanges(new Map([['1', { outcome }]]), changes, at(9))
  assert.deepEqual(
    settlements.map(({ kind, caller }) => [kind, caller]),
    [
      ['confirmed', 'berlin'],
      ['released', 'berlin']
    ]
  )
})
