import type { Mutant } from './mutant.ts'

const keyedBatches = 'services/order/publisher/keyed-batches.ts'

/** Lets clients reach the recovery of an order while they repeat its request; harmless alone. */
const shortLease = {
  file: 'services/order/publisher/idempotent-placement.ts',
  find: 'const leaseMarginMs = 3_000',
  replace: 'const leaseMarginMs = 0'
}

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
  },
  {
    name: 'claim-lost',
    bug: 'the batch of orders with keys is marked as stored before it is written, so a repeated request gets 202 without an order',
    patches: [
      {
        file: keyedBatches,
        find: "        failpoint('key-claimed')",
        replace: `        if (known === undefined) await Promise.all(claimed.map(({ batch }) => keys.markStored(batch.id)))
        failpoint('key-claimed')`
      }
    ],
    faults: { 'kill-at-point': 1 },
    services: ['order'],
    points: ['key-claimed'],
    requestsPerSecond: 150,
    breaks: [1]
  },
  {
    name: 'batch-rebuilt',
    bug: 'the recovery of an order with a key writes a new record instead of the stored batch',
    patches: [
      {
        file: 'services/order/publisher/recover-order.ts',
        find: 'await writer.writeEncoded({ topic, partition: batch.partition }, batch.bytes)',
        replace: `const record = recordOf(known)
        await writer.write(await writer.reserve(topic, record.key as string), record)`
      },
      {
        file: 'services/order/publisher/recover-order.ts',
        find: 'if (!(await isInTopic(known))) {',
        replace: 'if (Math.abs(1) === 1) {'
      },
      shortLease
    ],
    faults: { 'kill-at-point': 1 },
    services: ['order'],
    points: ['order-written'],
    requestsPerSecond: 150,
    durationMs: 40_000,
    breaks: [1]
  },
  {
    name: 'reservation-reused',
    bug: 'a sequence reservation is used again although its batch may have been written',
    patches: [
      {
        file: keyedBatches,
        find: "} else fail(group, 'uncertain', error)",
        replace: "} else fail(group, 'unused', error)"
      }
    ],
    faults: { mute: 2, 'mute-at-point': 2 },
    services: ['order'],
    requestsPerSecond: 150,
    breaks: [1]
  }
]
