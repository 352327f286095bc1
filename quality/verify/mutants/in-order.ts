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
  },
  {
    name: 'forgets-status',
    bug: 'a batch overwrites what is known of its orders with what it does not know',
    patches: [
      {
        file: 'services/order/store/order-columns.ts',
        find: ' ELSE known.',
        replace: ' ELSE excluded.'
      }
    ],
    faults: { kill: 1 },
    services: ['order'],
    requestsPerSecond: 150,
    breaks: [17]
  },
  {
    name: 'stale-status',
    bug: 'an instance answers with the status that it saw first',
    patches: [
      {
        file: 'services/order/http/find-order.ts',
        find: 'const known = (await orders.find([orderID])).get(orderID)',
        replace: `const cache: Map<string, Order> = ((globalThis as any).cachedOrders ??= new Map())
    const known = cache.get(orderID) ?? (await orders.find([orderID])).get(orderID)
    if (known !== undefined) cache.set(orderID, known)`
      }
    ],
    faults: { kill: 1 },
    services: ['inventory'],
    breaks: [17]
  },
  {
    name: 'stream-starts-over',
    bug: 'a stream that is resumed begins with its first event again',
    patches: [
      {
        file: 'services/order/http/order-stream.ts',
        find: "request.headers['last-event-id']",
        replace: 'undefined as string | undefined'
      }
    ],
    faults: { kill: 1 },
    services: ['inventory'],
    breaks: [17]
  },
  {
    name: 'page-skips-order',
    bug: 'the cursor of a page of orders skips one order',
    patches: [
      {
        file: 'services/order/store/orders.ts',
        find: 'orders.at(-1)?.orderID',
        replace: 'rows.at(-1)?.order_id'
      }
    ],
    faults: { kill: 1 },
    services: ['inventory'],
    breaks: [17]
  },
  {
    name: 'waits-for-nothing',
    bug: 'an answer to a waiting order has the order although it has no outcome yet',
    patches: [
      {
        file: 'services/order/http/order-routes.ts',
        find: 'return order !== undefined && hasOutcome(order) ? order : undefined',
        replace: 'return order'
      }
    ],
    faults: { freeze: 1 },
    services: ['inventory'],
    breaks: [17]
  }
]
