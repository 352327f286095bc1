import type { Mutant } from './mutant.ts'

/** Mutants of the order service. */
export const orderMutants: readonly Mutant[] = [
  {
    name: 'answers-early',
    bug: 'an order is answered 202 before the brokers have acknowledged it',
    patches: [
      {
        file: 'services/order/http/order-routes.ts',
        find: 'await publishOrder(order, traceparent, caller)',
        replace: 'void publishOrder(order, traceparent, caller).catch(() => {})'
      }
    ],
    faults: { kill: 3, cut: 1, stall: 1 },
    services: ['order'],
    requestsPerSecond: 150,
    breaks: [1]
  }
]
