import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Outcome } from '../../domain/decide-order.ts'
import type { HoldLimits } from '../../domain/hold-limits.ts'
import type { TestStore } from './test-store.ts'

/** Registers the contract tests of hold limits for a store. */
export function testHoldLimits(
  name: string,
  open: (t: TestContext, nowMs: () => number, limits: HoldLimits) => Promise<TestStore>
): void {
  let changes = 0
  const quantityLimits = new Map([
    ['berlin', 5],
    ['*', 100]
  ])
  const limits = { seconds: new Map([['berlin', 60]]), quantity: quantityLimits }
  const setUp = async (t: TestContext) => {
    const store = await open(t, () => 1_700_000_000_000, limits)
    await store.setAvailable(new Map([['mug', 1_000]]))
    return store
  }
  const order = (
    orderID: string,
    quantity: number,
    caller: string | undefined = 'berlin',
    holdSeconds: number | null = 60
  ) => ({
    orderID,
    userID: 'ann',
    ...(caller !== 'nobody' && { caller }),
    items: [{ sku: 'mug', quantity }],
    holdSeconds
  })
  const change = (orderID: string, kind: 'cancel' | 'confirm') => ({
    ...{ orderID, userID: 'ann', requestedAtMs: 0, requestID: `request ${changes}`, change: kind },
    position: { partition: 0, offset: changes++ }
  })
  const reasonOf = ({ kind, event }: Outcome) => (kind === 'failed' ? event.reason : kind)
  const decide = async (store: TestStore, ...orders: ReturnType<typeof order>[]) => {
    const decided = await store.decide({ orders, changes: [] })
    return decided.orders.map(({ outcome }) => reasonOf(outcome))
  }

  test(`${name}: a hold above the duration limit of its caller fails, and one at the limit succeeds`, async t => {
    const store = await setUp(t)
    const orders = [order('1', 1, 'berlin', 61), order('2', 1, 'berlin', 60), order('3', 1, 'paris', 3_600)]
    assert.deepEqual(await decide(store, ...orders), ['HOLD_TOO_LONG', 'reserved', 'reserved'])
    assert.deepEqual(await decide(store, ...orders), ['HOLD_TOO_LONG', 'reserved', 'reserved'])
    assert.deepEqual(await store.levels(), [{ sku: 'mug', available: 998, reserved: 2 }])
  })

  test(`${name}: the pieces in unconfirmed holds of a caller are limited without affecting other callers`, async t => {
    const store = await setUp(t)
    assert.deepEqual(await decide(store, order('1', 3), order('2', 3), order('3', 2)), [
      ...['reserved', 'HELD_QUANTITY_EXCEEDED', 'reserved']
    ])
    assert.deepEqual(await decide(store, order('4', 1), order('5', 6, 'paris'), order('6', 6, 'nobody')), [
      ...['HELD_QUANTITY_EXCEEDED', 'reserved', 'reserved']
    ])
    // An order without a hold does not count.
    assert.deepEqual(await decide(store, order('7', 9, 'berlin', null)), ['reserved'])
    assert.deepEqual(await store.levels(), [{ sku: 'mug', available: 1_000 - 26, reserved: 26 }])
  })

  test(`${name}: a confirmed or cancelled hold no longer counts, even in the same batch, and is subtracted once`, async t => {
    const store = await setUp(t)
    assert.deepEqual(await decide(store, order('1', 3), order('2', 2)), ['reserved', 'reserved'])
    const orders = [order('3', 4), order('4', 3), order('5', 1)]
    const decided = await store.decide({ orders, changes: [change('1', 'confirm'), change('1', 'cancel')] })
    assert.deepEqual(
      decided.orders.map(({ outcome }) => reasonOf(outcome)),
      ['HELD_QUANTITY_EXCEEDED', 'reserved', 'HELD_QUANTITY_EXCEEDED']
    )
    await store.decide({ orders: [], changes: [change('2', 'cancel')] })
    assert.deepEqual(await decide(store, order('6', 3), order('7', 2)), ['HELD_QUANTITY_EXCEEDED', 'reserved'])
  })
}
