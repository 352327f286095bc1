import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import type { DecidedOrder } from '../../domain/decide-batch.ts'
import type { Outcome } from '../../domain/decide-order.ts'
import type { OrderToDecide } from '../../domain/order.ts'
import { orderSequences, stockLevels } from '../../domain/testing/arbitraries.ts'
import { at, decide } from '../../domain/testing/decide.ts'
import type { StockStore } from '../stock-store.ts'
import type { TestStore } from './test-store.ts'

/** Registers the contract tests of a stock store. */
export function testStockStore(
  name: string,
  open: (t: TestContext, nowMs: () => number) => Promise<TestStore>,
  { runs = 100 } = {}
): void {
  const setUp = async (t: TestContext) => {
    let nowMs = 1_700_000_000_123
    return { store: await open(t, () => nowMs++), decidedAtMs: nowMs }
  }
  const order = (orderID: string, sku: string, quantity: number) => ({
    orderID,
    userID: 'ann',
    items: [{ sku, quantity }]
  })

  test(`${name}: a reservation moves pieces from available to reserved`, async t => {
    const { store, decidedAtMs } = await setUp(t)
    await store.setAvailable(new Map([['mug', 5]]))
    const given = order('1', 'mug', 2)
    const [decided] = await decideOrders(store, [given])
    assert.deepEqual(decided && { ...decided, outcome: unnumbered(decided.outcome) }, {
      outcome: { kind: 'reserved', event: { ...given, decidedAtMs, holdUntilMs: null } },
      isReplay: false
    })
    assert.deepEqual(await store.levels(), [{ sku: 'mug', available: 3, reserved: 2 }])
  })

  test(`${name}: a failed order reserves nothing`, async t => {
    const { store, decidedAtMs } = await setUp(t)
    await store.setAvailable(new Map([['mug', 5]]))
    const items = [
      { sku: 'mug', quantity: 2 },
      { sku: 'tea', quantity: 1 }
    ]
    const shortages = [{ sku: 'tea', requested: 1, available: 0, reason: 'UNKNOWN_SKU' }]
    const event = { orderID: '1', userID: 'ann', reason: 'UNKNOWN_SKU', shortages, decidedAtMs }
    const [decided] = await decideOrders(store, [{ orderID: '1', userID: 'ann', items }])
    assert.deepEqual(decided && unnumbered(decided.outcome), { kind: 'failed', event })
    assert.deepEqual(await store.levels(), [{ sku: 'mug', available: 5, reserved: 0 }])
  })

  test(`${name}: a replayed outcome is identical, whatever the current stock`, async t => {
    const { store } = await setUp(t)
    await store.setAvailable(new Map([['mug', 5]]))
    const orders = [order('1', 'mug', 3), order('2', 'mug', 3), order('3', 'mug', 2)]
    const first = await decideOrders(store, orders)
    await store.setAvailable(new Map([['mug', 100]]))
    const again = await decideOrders(store, orders)
    assert.deepEqual(
      again,
      first.map(({ outcome }) => ({ outcome, isReplay: true }))
    )
    assert.deepEqual(await store.levels(), [{ sku: 'mug', available: 100, reserved: 5 }])
  })

  test(`${name}: an outcome keeps the caller of its order, whatever caller a repeated record has`, async t => {
    const { store } = await setUp(t)
    await store.setAvailable(new Map([['mug', 5]]))
    const owned = [order('1', 'mug', 3), order('2', 'mug', 3)].map(given => ({ ...given, caller: 'berlin' }))
    const first = await decideOrders(store, [...owned, order('3', 'mug', 1)])
    assert.deepEqual(
      first.map(({ outcome }) => [outcome.kind, outcome.caller]),
      [
        ['reserved', 'berlin'],
        ['failed', 'berlin'],
        ['reserved', undefined]
      ]
    )
    const again = await decideOrders(store, [order('1', 'mug', 3), order('2', 'mug', 3), order('3', 'mug', 1)])
    assert.deepEqual(
      again.map(({ outcome }) => outcome),
      first.map(({ outcome }) => outcome)
    )
  })

  test(`${name}: an order that is repeated in a batch is decided once`, async t => {
    const { store } = await setUp(t)
    await store.setAvailable(new Map([['mug', 5]]))
    const [first, second] = await decideOrders(store, [order('1', 'mug', 3), order('1', 'mug', 3)])
    assert.deepEqual([first?.isReplay, second?.isReplay], [false, true])
    assert.deepEqual(second?.outcome, first?.outcome)
    assert.deepEqual(await store.levels(), [{ sku: 'mug', available: 2, reserved: 3 }])
  })

  test(`${name}: an empty batch has no results`, async t => {
    const { store } = await setUp(t)
    assert.deepEqual(await store.decide({ orders: [], changes: [] }), { orders: [], changes: [] })
  })

  test(`${name}: any text is stored and read unchanged`, async t => {
    const { store } = await setUp(t)
    const sku = `"quoted", {braced}, back\\slashed, NULL, 'x', 💎, ${'long '.repeat(20)}`
    await store.setAvailable(new Map([[sku, 1]]))
    const orders = ['a', 'b'].map(id => ({ ...order(`${id} ${sku}`, sku, 1), userID: sku }))
    const first = await decideOrders(store, orders)
    assert.deepEqual(
      first.map(({ outcome }) => [outcome.kind, outcome.event.orderID, outcome.event.userID]),
      [
        ['reserved', orders[0]?.orderID, sku],
        ['failed', orders[1]?.orderID, sku]
      ]
    )
    assert.deepEqual(
      (await decideOrders(store, orders)).map(({ outcome }) => outcome),
      first.map(({ outcome }) => outcome)
    )
    assert.deepEqual(await store.levels(), [{ sku, available: 0, reserved: 1 }])
  })

  test(`${name}: stock is exact up to the largest safe integer`, async t => {
    const { store } = await setUp(t)
    const most = Number.MAX_SAFE_INTEGER
    await store.setAvailable(new Map([['mug', most]]))
    await decideOrders(store, [order('1', 'mug', 1)])
    assert.deepEqual(await store.levels(), [{ sku: 'mug', available: most - 1, reserved: 1 }])
  })

  test(`${name}: setting stock keeps reservations, and adding missing SKUs keeps existing ones`, async t => {
    const { store } = await setUp(t)
    await store.setAvailable(new Map([['mug', 5]]))
    await decideOrders(store, [order('1', 'mug', 2)])
    const given = new Map([
      ['mug', 50],
      ['tea', 7]
    ])
    assert.equal(await store.addMissing(given), 1)
    assert.equal(await store.addMissing(given), 0)
    assert.deepEqual(await store.levels(['mug', 'none']), [{ sku: 'mug', available: 3, reserved: 2 }])
    await store.setAvailable(given)
    assert.deepEqual(await store.levels(), [
      { sku: 'mug', available: 50, reserved: 2 },
      { sku: 'tea', available: 7, reserved: 0 }
    ])
  })

  test(`${name}: negative stock is refused and changes nothing`, async t => {
    const { store } = await setUp(t)
    const given = new Map([
      ['mug', 5],
      ['tea', -1]
    ])
    await assert.rejects(store.setAvailable(given))
    await assert.rejects(store.addMissing(given))
    assert.deepEqual(await store.levels(), [])
  })

  test(`${name}: batches of any size with replays give the same result as single orders`, async t => {
    const sizes = fc.infiniteStream(fc.integer({ min: 1, max: 8 }))
    await fc.assert(
      fc.asyncProperty(stockLevels, orderSequences, sizes, async (stock, orders, sizes) => {
        const store = await open(t, () => 7)
        await store.setAvailable(stock)
        const outcomes = []
        for (let start = 0; start < orders.length; ) {
          const size = sizes.next().value
          const again = orders.slice(Math.max(0, start - sizes.next().value), start)
          const decided = await decideOrders(store, [...again, ...orders.slice(start, start + size)])
          assert.deepEqual(
            decided.map(({ isReplay }, index) => isReplay === index < again.length),
            decided.map(() => true)
          )
          outcomes.push(...decided.slice(again.length).map(({ outcome }) => outcome))
          start += size
        }
        const expected = decide(stock, orders, at(7))
        assert.deepEqual(outcomes.map(unnumbered), expected.outcomes.map(unnumbered))
        const sequences = outcomes.map(({ event }) => event.sequence)
        assert.deepEqual(
          sequences,
          sequences.toSorted((a, b) => a - b)
        )
        for (const { sku, available, reserved } of await store.levels()) {
          assert.equal(available + reserved, stock.get(sku))
          assert.equal(reserved, expected.taken.get(sku) ?? 0)
        }
      }),
      { numRuns: runs }
    )
  })
}

function unnumbered({ kind, event: { sequence: _, ...event } }: Outcome) {
  return { kind, event }
}

export async function decideOrders(
  store: Pick<StockStore, 'decide'>,
  orders: readonly OrderToDecide[]
): Promise<readonly DecidedOrder[]> {
  return (await store.decide({ orders, changes: [] })).orders
}
