import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import type { ChangeKind, ChangeToDecide } from '../../domain/change.ts'
import { histories, type Step, stockLevels, toBatch } from '../../domain/testing/arbitraries.ts'
import type { TestStore } from './test-store.ts'

/** Registers the contract tests of changes and holds for a store. */
export function testSettlements(
  name: string,
  open: (t: TestContext, nowMs: () => number) => Promise<TestStore>,
  { runs = 100 } = {}
): void {
  const nowMs = 1_700_000_000_123
  const setUp = async (t: TestContext) => {
    const store = await open(t, () => nowMs)
    await store.setAvailable(new Map([['mug', 5]]))
    return store
  }

  test(`${name}: a cancel releases the stock of its order, and reading it again gives the same settlement`, async t => {
    const store = await setUp(t)
    const given = order('1', 3)
    await store.decide({ orders: [given], changes: [] })
    const change = ask('1', 'cancel')
    const { position, requestID } = change
    const event = { ...identityOf(given), items: given.items, cause: 'cancelled', releasedAtMs: nowMs, requestID }
    const decide = async (asked: ChangeToDecide) => (await store.decide({ orders: [], changes: [asked] })).changes
    const [first] = await decide(change)
    const sequence = first?.settlement?.event.sequence
    const settlement = { kind: 'released', position, event: { ...event, sequence } }
    assert.deepEqual(first, { effect: 'released', settlement, isReplay: false })
    assert.deepEqual(await store.levels(), [{ sku: 'mug', available: 5, reserved: 0 }])
    assert.deepEqual(await decide(change), [{ effect: 'released', settlement, isReplay: true }])
    assert.deepEqual(await decide(ask('1', 'cancel')), [{ effect: 'none', isReplay: false }])
    assert.deepEqual(await decide({ ...ask('1', 'cancel'), requestID }), [{ effect: 'none', isReplay: false }])
    assert.deepEqual(await store.levels(), [{ sku: 'mug', available: 5, reserved: 0 }])
    const again = await store.decide({ orders: [given], changes: [] })
    assert.deepEqual(
      again.orders.map(({ outcome, isReplay }) => [outcome.kind, isReplay]),
      [['reserved', true]]
    )
  })

  test(`${name}: an order that was cancelled while undecided fails as CANCELLED and reserves nothing`, async t => {
    const store = await setUp(t)
    await store.decide({ orders: [], changes: [ask('1', 'cancel')] })
    const { orders } = await store.decide({ orders: [order('1', 3)], changes: [] })
    const event = { ...identityOf(order('1', 3)), reason: 'CANCELLED', shortages: [], decidedAtMs: nowMs }
    const { outcome } = orders[0] ?? {}
    assert.deepEqual(outcome, { kind: 'failed', event: { ...event, sequence: outcome?.event.sequence } })
    assert.deepEqual(await store.levels(), [{ sku: 'mug', available: 5, reserved: 0 }])
  })

  test(`${name}: settlements and due holds have the caller of their order, even when read again`, async t => {
    const store = await setUp(t)
    const orders = ['1', '2', '3'].map(orderID => ({ ...order(orderID, 1), caller: 'berlin', holdSeconds: 1 }))
    await store.decide({ orders: [...orders, { ...order('4', 1), holdSeconds: 1 }], changes: [] })
    const due = await store.takeDueHolds(nowMs + 1_000, { limit: 10, againAfterMs: 500 })
    const holdUntilMs = nowMs + 1_000
    assert.deepEqual(
      due.toSorted((a, b) => (a.orderID < b.orderID ? -1 : 1)),
      [
        ...orders.map(given => ({ ...identityOf(given), caller: 'berlin', holdUntilMs })),
        { ...identityOf(order('4', 1)), holdUntilMs }
      ]
    )
    const changes = [ask('1', 'cancel'), ask('2', 'confirm'), ask('3', 'expire', nowMs + 1_000)]
    const first = await store.decide({ orders: [], changes })
    assert.deepEqual(
      first.changes.map(({ settlement }) => settlement?.caller),
      ['berlin', 'berlin', 'berlin']
    )
    const again = await store.decide({ orders: [], changes })
    assert.deepEqual(
      again.changes.map(({ settlement }) => settlement),
      first.changes.map(({ settlement }) => settlement)
    )
    const cancelled = { ...ask('5', 'cancel'), caller: 'paris' }
    await store.decide({ orders: [], changes: [cancelled] })
    const { orders: decided } = await store.decide({ orders: [{ ...order('5', 1), caller: 'paris' }], changes: [] })
    assert.equal(decided[0]?.outcome.caller, 'paris')
  })

  test(`${name}: a hold is due at its end and again after a delay, until it is confirmed or released`, async t => {
    const store = await setUp(t)
    const orders = ['1', '2', '3'].map((orderID, index) => ({ ...order(orderID, 1), holdSeconds: index + 1 }))
    await store.decide({ orders: [...orders, order('4', 1)], changes: [] })
    const due = async (atMs: number, limit = 10) =>
      (await store.takeDueHolds(nowMs + atMs, { limit, againAfterMs: 500 }))
        .map(({ orderID, holdUntilMs }) => {
          assert.equal(holdUntilMs, nowMs + Number(orderID) * 1_000)
          return orderID
        })
        .sort()
    assert.deepEqual(await due(999), [])
    assert.deepEqual(await due(1_000), ['1'])
    assert.deepEqual(await due(1_499), [])
    assert.deepEqual(await due(3_000, 2), ['1', '2'])
    assert.deepEqual(await due(3_000), ['3'])
    await store.decide({ orders: [], changes: [ask('1', 'confirm'), ask('2', 'cancel')] })
    assert.deepEqual(await due(10_000), ['3'])
    const { changes } = await store.decide({ orders: [], changes: [ask('3', 'expire', nowMs + 3_000)] })
    const { settlement } = changes[0] ?? {}
    assert.equal(settlement?.kind === 'released' && settlement.event.cause, 'expired')
    assert.deepEqual(await due(20_000), [])
    assert.deepEqual(await store.levels(), [{ sku: 'mug', available: 3, reserved: 2 }])
  })

  test(`${name}: a hold that ended long ago is due at growing intervals, which bounds the dead letters of a failing expiry`, async t => {
    const store = await setUp(t)
    await store.decide({ orders: [{ ...order('1', 1), holdSeconds: 1 }], changes: [] })
    const isDue = async (atMs: number) =>
      (await store.takeDueHolds(nowMs + atMs, { limit: 10, againAfterMs: 500 })).length === 1
    assert.deepEqual([await isDue(2_000), await isDue(2_500)], [true, true])
    assert.deepEqual([await isDue(101_000), await isDue(110_999), await isDue(111_000)], [true, false, true])
  })

  test(`${name}: changes in a batch with orders are decided in sequence before the orders`, async t => {
    const store = await setUp(t)
    await store.decide({ orders: [{ ...order('1', 5), holdSeconds: 1 }], changes: [] })
    const changes = [ask('1', 'confirm'), ask('1', 'expire', nowMs + 2_000), ask('1', 'cancel'), ask('2', 'cancel')]
    const decided = await store.decide({ orders: [order('2', 1), order('3', 4)], changes })
    assert.deepEqual(
      decided.changes.map(({ effect }) => effect),
      ['confirmed', 'none', 'released', 'cancelled']
    )
    assert.deepEqual(
      decided.orders.map(({ outcome }) => outcome.kind),
      ['failed', 'reserved']
    )
    assert.deepEqual(await store.levels(), [{ sku: 'mug', available: 1, reserved: 4 }])
  })

  test(`${name}: records that are read again in any batches give the same results, and pieces are conserved`, async t => {
    const sizes = fc.infiniteStream(fc.integer({ min: 1, max: 8 }))
    await fc.assert(
      fc.asyncProperty(stockLevels, histories, sizes, async (stock, steps, sizes) => {
        const store = await open(t, () => 7)
        await store.setAvailable(stock)
        const answers = new Map<Step, unknown>()
        for (let start = 0; start < steps.length; ) {
          const end = endOfBatch(steps, start, sizes.next().value)
          const batch = steps.slice(Math.max(0, start - sizes.next().value), end)
          const decided = await store.decide(toBatch(batch))
          const [orders, changes] = [[...decided.orders], [...decided.changes]]
          for (const step of batch) {
            const answer = step.kind === 'order' ? orders.shift()?.outcome : changes.shift()?.settlement
            if (answers.has(step)) assert.deepEqual(answer, answers.get(step))
            answers.set(step, answer)
          }
          start = end
        }
        const held = new Map<string, number>()
        for (const answer of answers.values()) {
          const { kind, event } = (answer ?? {}) as { kind?: string; event?: { items: Line[] } }
          const sign = kind === 'reserved' ? 1 : kind === 'released' ? -1 : 0
          if (sign === 0) continue
          for (const { sku, quantity } of event?.items ?? []) held.set(sku, (held.get(sku) ?? 0) + sign * quantity)
        }
        for (const { sku, available, reserved } of await store.levels()) {
          assert.deepEqual([available + reserved, reserved], [stock.get(sku), held.get(sku) ?? 0])
        }
      }),
      { numRuns: runs }
    )
  })
}

/**
 * Returns where a batch ends: before a confirm or expire whose order is first read in the same
 * batch, as in production.
 */
function endOfBatch(steps: readonly Step[], start: number, size: number): number {
  const fresh = new Set<string>()
  for (const [index, step] of steps.slice(start, start + size).entries()) {
    if (step.kind === 'order') fresh.add(step.order.orderID)
    else if (step.change.change !== 'cancel' && fresh.has(step.change.orderID)) return start + index
  }
  return Math.min(steps.length, start + size)
}

interface Line {
  readonly sku: string
  readonly quantity: number
}

const order = (orderID: string, quantity: number) => ({ orderID, userID: 'ann', items: [{ sku: 'mug', quantity }] })
const identityOf = ({ orderID, userID }: { orderID: string; userID: string }) => ({ orderID, userID })

let offset = 0
function ask(orderID: string, change: ChangeKind, requestedAtMs = 0): ChangeToDecide {
  const requestID = `request-${offset}`
  return { orderID, userID: 'ann', change, requestedAtMs, requestID, position: { partition: 3, offset: offset++ } }
}
