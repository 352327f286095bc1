import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decide } from './decide.ts'
import { decideOnce } from './decide-once.ts'
import { orderSequences, stockLevels } from './testing/arbitraries.ts'
import { at } from './testing/stamps.ts'

test('orders that were decided earlier get the same outcomes and reserve nothing, whatever the current stock', () => {
  fc.assert(
    fc.property(stockLevels, stockLevels, orderSequences, (stock, otherStock, orders) => {
      const { outcomes } = decide(stock, orders, at(7))
      const remembered = new Map(outcomes.map(outcome => [outcome.event.orderID, outcome]))
      const { decided, fresh } = decideOnce(remembered, otherStock, orders, at(8))
      assert.deepEqual(
        decided,
        outcomes.map(outcome => ({ outcome, isReplay: true }))
      )
      assert.deepEqual(fresh, { outcomes: [], taken: new Map() })
    })
  )
})

test('an order that is repeated in a batch is decided at its first occurrence and replayed at the others', () => {
  fc.assert(
    fc.property(stockLevels, orderSequences, fc.array(fc.nat()), (stock, orders, picks) => {
      const again = orders.length === 0 ? [] : picks.map(pick => structuredClone(orders[pick % orders.length] as never))
      const { decided, fresh } = decideOnce(new Map(), stock, [...orders, ...again], at(7))
      assert.deepEqual(fresh, decide(stock, orders, at(7)))
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
      const remembered = new Map(outcomes.map(outcome => [outcome.event.orderID, outcome]))
      const { decided } = decideOnce(remembered, left, orders, at(7))
      assert.deepEqual(
        decided.map(({ outcome }) => outcome),
        whole.outcomes
      )
    })
  )
})
