import fc from 'fast-check'
import { type ChangeToDecide, changeKinds } from '../change.ts'
import type { Batch } from '../decide-batch.ts'
import type { OrderToDecide } from '../order.ts'

/** Few SKUs with scarce stock, so that orders compete; `unknown` never has stock. */
const sku = fc.constantFrom('mug', 'tea', 'spoon', 'pot', 'unknown')

export const stockLevels: fc.Arbitrary<ReadonlyMap<string, number>> = fc
  .record({ mug: fc.nat(12), tea: fc.nat(12), spoon: fc.nat(3), pot: fc.nat(40) })
  .map(levels => new Map(Object.entries(levels)))

const items = fc.array(fc.record({ sku, quantity: fc.integer({ min: 1, max: 6 }) }, { noNullPrototype: true }), {
  minLength: 1,
  maxLength: 4
})

/** Optional caller of an order; the callers share user ids. */
const owner = fc.constantFrom({}, { caller: 'berlin' }, { caller: 'paris' })

/** Orders with the distinct ids order-0, order-1, … */
export const orderSequences: fc.Arbitrary<readonly OrderToDecide[]> = fc
  .array(fc.record({ userID: fc.constantFrom('ann', 'bob'), owner, items }, { noNullPrototype: true }), {
    maxLength: 20
  })
  .map(orders => orders.map(({ owner, ...order }, index) => ({ orderID: `order-${index}`, ...owner, ...order })))

export type Step =
  | { readonly kind: 'order'; readonly order: OrderToDecide }
  | { readonly kind: 'change'; readonly change: ChangeToDecide }

/**
 * Orders, two thirds of them with a hold, and change requests. Cancels may precede their order;
 * confirmations and expiries follow it, as in production. The hold of an order decided at 7 ends at
 * 1007 or 2007.
 */
export const histories: fc.Arbitrary<readonly Step[]> = orderSequences
  .chain(orders =>
    fc.record({
      orders: fc.tuple(
        ...orders.map(order => fc.constantFrom(null, 1, 2).map(holdSeconds => ({ ...order, holdSeconds })))
      ),
      asked: fc.array(
        fc.record({
          at: fc.nat(),
          of: fc.nat(),
          change: fc.constantFrom(...changeKinds),
          requestedAtMs: fc.constantFrom(8, 1_006, 1_007, 5_000)
        }),
        { maxLength: 30 }
      )
    })
  )
  .map(({ orders, asked }) => {
    const steps: Step[] = (orders as OrderToDecide[]).map(order => ({ kind: 'order', order }))
    for (const [offset, { at, of, change, requestedAtMs }] of asked.entries()) {
      const order = orders[of % Math.max(1, orders.length)] as OrderToDecide | undefined
      if (order === undefined) continue
      const orderAt = steps.findIndex(step => step.kind === 'order' && step.order === order)
      const earliest = change === 'cancel' ? 0 : orderAt + 1
      const { orderID, userID, caller } = order
      const owner = { userID, ...(caller !== undefined && { caller }) }
      const asking = {
        ...{ orderID, ...owner, change, requestedAtMs },
        ...{ requestID: `request-${offset}`, position: { partition: 0, offset } }
      }
      steps.splice(earliest + (at % (steps.length - earliest + 1)), 0, { kind: 'change', change: asking })
    }
    return steps
  })

export function toBatch(steps: readonly Step[]): Batch {
  return {
    orders: steps.flatMap(step => (step.kind === 'order' ? [step.order] : [])),
    changes: steps.flatMap(step => (step.kind === 'change' ? [step.change] : []))
  }
}
