import fc from 'fast-check'
import type { OrderToDecide } from '../order.ts'

/** Few SKUs and scarce stock, so that orders compete; `unknown` never has stock. */
const sku = fc.constantFrom('mug', 'tea', 'spoon', 'pot', 'unknown')

export const stockLevels: fc.Arbitrary<ReadonlyMap<string, number>> = fc
  .record({ mug: fc.nat(12), tea: fc.nat(12), spoon: fc.nat(3), pot: fc.nat(40) })
  .map(levels => new Map(Object.entries(levels)))

const items = fc.array(fc.record({ sku, quantity: fc.integer({ min: 1, max: 6 }) }), { minLength: 1, maxLength: 4 })

/** Orders with ids of their own: order-0, order-1, … */
export const orderSequences: fc.Arbitrary<readonly OrderToDecide[]> = fc
  .array(fc.record({ userID: fc.constantFrom('ann', 'bob'), items }, { noNullPrototype: true }), { maxLength: 20 })
  .map(orders => orders.map((order, index) => ({ orderID: `order-${index}`, ...order })))
