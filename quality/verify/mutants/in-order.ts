import type { Mutant } from './mutant.ts'

/** Mutants of the order service. */
export const orderMutants: readonly Mutant[] = [
  {
    name: 'answers-early',
    bug: 'an order is answered 202 before the brokers have acknowledged it',
    patches: [
      {
        file: 'services/order/from-http/place.ts',
        find: 'await publish(order, traceparent, caller)',
        replace: 'void publish(order, traceparent, caller).catch(() => {})'
      }
    ],
    faults: { kill: 3, cut: 1, stall: 1 },
    services: ['order'],
    requestsPerSecond: 150,
    breaks: [1]
  }
]
