import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decideBatch } from './decide-batch.ts'
import type { OrderState } from './decide-change.ts'
import type { Outcome } from './decide-order.ts'
import { histories, orderSequences, stockLevels, toBatch } from './testing/arbitraries.ts'
import { at, decide } from './testing/decide.ts'

const order = (orderID: string, quantity: number) => ({ orderID, userID: 'ann', items: [{ sku: 'mug', quantity }] })
const cancel = (orderID: string, offset: number) => {
  const request = { change: 'cancel', requestedAtMs: 1, requestID: `request-${offset}` } as const
  return { orderID, userID: 'ann', ...request, position: { partition: 0, offset } }
}

test('an order can reserve stock that a cancel of the same batch releases', () => {
  const event = { ...order('1', 2), decidedAtMs: 1, holdUntilMs: null, sequence: 1 }
  const known = new Map<string, OrderState>([['1', { outcome: { kind: 'reserved', event } }]])
  const batch = { orders: [order('2', 3)], changes: [cancel('1', 0)] }
  const { orders, fresh } = decideBatch(known, new Map([['mug', 1]]), batch, at(7))
  assert.equal(orders[0]?.outcome.kind, 'reserved')
  assert.deepEqual(fresh.moved, new Map([['mug', 1]]))
})

test('an order that is cancelled in its own batch fails as CANCELLED and reserves nothing', () => {
  const batch = { orders: [order('1', 2), order('2', 2)], changes: [cancel('1', 0)] }
  const { orders, fresh } = decideBatch(new Map(), new Map([['mug', 2]]), batch, at(7))
  assert.deepEqual(
    orders.map(({ outcome }) => (outcome.kind === 'failed' ? outcome.event.reason : outcome.kind)),
    ['CANCELLED', 'reserved']
  )
  assert.deepEqual(fresh.moved, new Map([['mug', 2]]))
})

test('any sequence of orders and changes conserves pieces, keeps stock non-negative, and releases each order at most once', () => {
  fc.assert(
    fc.property(stockLevels, histories, fc.infiniteStream(fc.integer({ min: 1, max: 6 })), (stock, steps, sizes) => {
      const available = new Map(stock)
      const known = new Map<string, OrderState>()
      const released: string[] = []
      for (let start = 0; start < steps.length; ) {
        const size = sizes.next().value
        const { fresh } = decideBatch(known, available, toBatch(steps.slice(start, start + size)), at(7))
        for (const [sku, pieces] of fresh.moved) available.set(sku, (available.get(sku) ?? 0) - pieces)
        for (const settlement of fresh.settlements) {
          const { orderID } = settlement.event
          if (settlement.kind === 'released') released.push(orderID)
          known.set(orderID, { ...(known.get(orderID) as OrderState), [settlement.kind]: settlement })
        }
        for (const outcome of fresh.outcomes) known.set(outcome.event.orderID, { outcome })
        start += size

        const held = [...known.values()].flatMap(order => (order.released ? [] : itemsOf(order.outcome)))
        for (const [sku, pieces] of stock) {
          const inOrders = held.filter(item => item.sku === sku).reduce((sum, { quantity }) => sum + quantity, 0)
          assert.equal((available.get(sku) ?? 0) + inOrders, pieces, sku)
        }
        for (const pieces of available.values()) assert.ok(pieces >= 0)
      }
      assert.equal(new Set(released).size, released.length)
    })
  )
})

test('orders that were decided earlier get the same outcomes and reserve nothing, whatever the current stock', () => {
  fc.assert(
    fc.property(stockLevels, stockLevels, orderSequences, (stock, otherStock, orders) => {
      const { outcomes } = decide(stock, orders, at(7))
      const known = new Map(outcomes.map(outcome => [outcome.event.orderID, { outcome }]))
      const { orders: decided, fresh } = decideBatch(known, otherStock, { orders, changes: [] }, at(8))
      assert.deepEqual(
        decided,
        outcomes.map(outcome => ({ outcome, isReplay: true }))
      )
      assert.deepEqual(fresh, { settlements: [], outcomes: [], moved: new Map() })
    })
  )
})

test('an order that is repeated in a batch is decided at its first occurrence and replayed at the others', () => {
  fc.assert(
    fc.property(stockLevels, orderSequences, fc.array(fc.nat()), (stock, orders, picks) => {
      const again = orders.length === 0 ? [] : picks.map(pick => structuredClone(orders[pick % orders.length] as never))
      const batch = { orders: [...orders, ...again], changes: [] }
      const { orders: decided, fresh } = decideBatch(new Map(), stock, batch, at(7))
      assert.deepEqual({ outcomes: fresh.outcomes, taken: fresh.moved }, decide(stock, orders, at(7)))
      for (const [index, { outcome, isReplay }] of decided.entries()) {
        assert.equal(isReplay, index >= orders.length)
        assert.equal(
          outcome,
          fresh.outcomes.find(({ event }) => event.orderID === outcome.event.orderID)
        )
      }
    })
  )
})

test('replayed orders do not affect the new orders of their batch', () => {
  fc.assert(
    fc.property(stockLevels, orderSequences, fc.nat(), (stock, orders, cut) => {
      const whole = decide(stock, orders, at(7))
      const before = orders.slice(0, cut % (orders.length + 1))
      const { outcomes, taken } = decide(stock, before, at(7))
      const left = new Map([...stock].map(([sku, pieces]) => [sku, pieces - (taken.get(sku) ?? 0)]))
      const known = new Map(outcomes.map(outcome => [outcome.event.orderID, { outcome }]))
      const { orders: decided } = decideBatch(known, left, { orders, changes: [] }, at(7))
      assert.deepEqual(
        decided.map(({ outcome }) => outcome),
        whole.outcomes
      )
    })
  )
})

function itemsOf(outcome: Outcome) {
  return outcome.kind === 'reserved' ? outcome.event.items : []
}
