import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { orderSequences, stockLevels } from './testing/arbitraries.ts'
import { at, decide } from './testing/decide.ts'

const order = (orderID: string, ...items: [sku: string, quantity: number][]) => ({
  orderID,
  userID: 'user-1',
  items: items.map(([sku, quantity]) => ({ sku, quantity }))
})

test('an order with enough stock is reserved with its lines unchanged', () => {
  const { outcomes, taken } = decide(new Map([['mug', 5]]), [order('1', ['mug', 2])], at(7))
  assert.deepEqual(outcomes, [
    {
      kind: 'reserved',
      event: {
        ...{ orderID: '1', userID: 'user-1', items: [{ sku: 'mug', quantity: 2 }] },
        ...{ decidedAtMs: 7, sequence: 0, holdUntilMs: null }
      }
    }
  ])
  assert.deepEqual([...taken], [['mug', 2]])
})

test('an order with two SKUs out of stock fails, reports both shortages, and reserves nothing', () => {
  const stock = new Map([
    ['mug', 5],
    ['tea', 1]
  ])
  stock.set('spoon', 0)
  const { outcomes, taken } = decide(stock, [order('1', ['mug', 5], ['tea', 2], ['spoon', 3])], at(7))
  const shortages = [
    { sku: 'tea', requested: 2, available: 1, reason: 'OUT_OF_STOCK' },
    { sku: 'spoon', requested: 3, available: 0, reason: 'OUT_OF_STOCK' }
  ]
  assert.deepEqual(outcomes, [
    {
      kind: 'failed',
      event: { orderID: '1', userID: 'user-1', reason: 'OUT_OF_STOCK', shortages, decidedAtMs: 7, sequence: 0 }
    }
  ])
  assert.equal(taken.size, 0)
})

test('an order with an unknown SKU fails as UNKNOWN_SKU, even if another SKU is out of stock', () => {
  const stock = new Map([['mug', 5]])
  const unknown = { sku: 'unicorn', requested: 1, available: 0, reason: 'UNKNOWN_SKU' }
  const failures = decide(
    stock,
    [order('1', ['unicorn', 1]), order('2', ['mug', 6], ['unicorn', 1])],
    at(7)
  ).outcomes.map(({ kind, event }) => kind === 'failed' && [event.reason, event.shortages])
  assert.deepEqual(failures, [
    ['UNKNOWN_SKU', [unknown]],
    ['UNKNOWN_SKU', [{ sku: 'mug', requested: 6, available: 5, reason: 'OUT_OF_STOCK' }, unknown]]
  ])
})

test('two lines with the same SKU are checked as their sum', () => {
  const stock = new Map([['mug', 5]])
  const [tooMuch] = decide(stock, [order('1', ['mug', 3], ['mug', 3])], at(7)).outcomes
  assert.deepEqual(tooMuch?.kind === 'failed' && tooMuch.event.shortages, [
    { sku: 'mug', requested: 6, available: 5, reason: 'OUT_OF_STOCK' }
  ])
  assert.deepEqual([...decide(stock, [order('1', ['mug', 3], ['mug', 2])], at(7)).taken], [['mug', 5]])
})

test('a failed order leaves the stock to later orders', () => {
  const orders = [order('1', ['mug', 6]), order('2', ['mug', 5]), order('3', ['mug', 1])]
  const { outcomes } = decide(new Map([['mug', 5]]), orders, at(7))
  assert.deepEqual(
    outcomes.map(({ kind }) => kind),
    ['failed', 'reserved', 'failed']
  )
})

test('the pieces taken equal those of the reserved orders and never exceed the stock', () => {
  fc.assert(
    fc.property(stockLevels, orderSequences, (stock, orders) => {
      const { outcomes, taken } = decide(stock, orders, at(7))
      const held = new Map<string, number>()
      for (const { kind, event } of outcomes) {
        if (kind === 'failed') continue
        for (const { sku, quantity } of event.items) held.set(sku, (held.get(sku) ?? 0) + quantity)
      }
      assert.deepEqual(new Map([...taken].sort()), new Map([...held].sort()))
      for (const [sku, pieces] of taken) assert.ok(pieces <= (stock.get(sku) ?? 0))
    })
  )
})

test('every order gets one outcome in sequence: all of its lines, or at least one real shortage', () => {
  fc.assert(
    fc.property(stockLevels, orderSequences, (stock, orders) => {
      const { outcomes } = decide(stock, orders, at(7))
      assert.deepEqual(
        outcomes.map(({ event }) => event.orderID),
        orders.map(({ orderID }) => orderID)
      )
      for (const [index, { kind, event }] of outcomes.entries()) {
        if (kind === 'reserved') assert.deepEqual(event.items, orders[index]?.items)
        else {
          assert.ok(event.shortages.length > 0)
          for (const { requested, available } of event.shortages) assert.ok(requested > available && available >= 0)
        }
      }
    })
  )
})

test('decisions are numbered in sequence', () => {
  let sequence = 41
  const orders = [order('1', ['mug', 6]), order('2', ['mug', 5]), order('3', ['unicorn', 1])]
  const { outcomes } = decide(new Map([['mug', 5]]), orders, { atMs: 7, nextSequence: () => ++sequence })
  assert.deepEqual(
    outcomes.map(({ event }) => event.sequence),
    [42, 43, 44]
  )
})

test('an outcome never depends on later orders', () => {
  fc.assert(
    fc.property(stockLevels, orderSequences, fc.nat(), (stock, orders, cut) => {
      const first = orders.slice(0, cut % (orders.length + 1))
      assert.deepEqual(
        decide(stock, first, at(7)).outcomes,
        decide(stock, orders, at(7)).outcomes.slice(0, first.length)
      )
    })
  )
})

test('any split of a sequence into batches gives the same outcomes', () => {
  fc.assert(
    fc.property(
      stockLevels,
      orderSequences,
      fc.infiniteStream(fc.integer({ min: 1, max: 5 })),
      (stock, orders, sizes) => {
        const whole = decide(stock, orders, at(7))
        const left = new Map(stock)
        const outcomes = []
        for (let start = 0; start < orders.length; ) {
          const size = sizes.next().value
          const part = decide(left, orders.slice(start, start + size), at(7))
          for (const [sku, pieces] of part.taken) left.set(sku, (left.get(sku) ?? 0) - pieces)
          outcomes.push(...part.outcomes)
          start += size
        }
        assert.deepEqual(outcomes, whole.outcomes)
        for (const [sku, pieces] of whole.taken) assert.equal(left.get(sku), (stock.get(sku) ?? 0) - pieces)
      }
    )
  )
})
