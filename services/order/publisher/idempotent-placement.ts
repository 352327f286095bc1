import { hash } from 'node:crypto'
import { reservedName } from '@orderly/callers'
import { type OrderCreated, toRecord } from '@orderly/contracts'
import type { ReservedWriter, Topic } from '@orderly/kafka'
import { type Logger, newID } from '@orderly/service-kit'
import {
  acceptOrder,
  canonicalize,
  type OrderContext,
  type Placement,
  type PlaceOrder
} from '../domain/accept-order.ts'
import { maxTries, notConverged } from '../store/idempotency-keys.ts'
import type { KeyedOrder, KeyStore, KnownKey } from '../store/key-state.ts'
import type { OrderStore } from '../store/order-store.ts'
import { createKeyedBatches } from './keyed-batches.ts'
import { createRecovery } from './recover-order.ts'

/**
 * Places an order with an idempotency key: exactly one record in `orders.created` per key, even if
 * processes crash or hang and requests are repeated.
 *
 * Orders of a partition that arrive together share one batch (keyed-batches.ts):
 *
 * 1. Reserve a producer id and its next sequence number in the partition: a **sequence reservation**
 *    (see ReservedWriter).
 * 2. Claim the keys: store a row for each key with the order's fingerprint, id, time and trace, and
 *    one row with the exact bytes of the *batch*, leased to this attempt. All rows or none are
 *    stored. KeyStore describes the states of a key.
 * 3. Write the batch.
 * 4. Delete the row of the batch, which marks its orders as stored, and answer.
 *
 * A crash before step 2 leaves nothing. A crash after it leaves the row of the batch. Once the lease
 * has ended, the next request with one of the keys writes the *same bytes* (recover-order.ts). The
 * previous attempt may have written them, or its produce request may still be in flight. In both
 * cases the broker recognizes the second batch by its sequence numbers and only acknowledges it.
 * Therefore no attempt needs to check whether the batch exists, and no previous attempt needs to be
 * stopped. The log itself prevents duplicates, not clocks or leases.
 *
 * A producer id writes its next batch in a partition only after the row of the previous one has been
 * deleted. So a batch with a row is the last one of its producer id, which brokers remember; they
 * remember the last five.
 *
 * Limitation: brokers forget a producer id that has written nothing for a day
 * (`producer.id.expiration.ms`). If the reservation of a batch is older than 12 hours, an order gets
 * another batch, and only if the projection has not read it from the topic.
 */
export type PlaceIdempotently = (command: PlaceOrder, context: KeyedContext) => Promise<Placement>

export type KeyedContext = OrderContext & { readonly key: string }

export interface IdempotentPlacementOptions {
  readonly writer: ReservedWriter
  readonly ordersCreated: Topic<OrderCreated>
  readonly keys: KeyStore
  /** Orders that the projection has read from the topic. */
  readonly orders: Pick<OrderStore, 'find'>
  /** Maximum time to write an order. */
  readonly deliveryTimeoutMs: number
  /** Maximum number of orders that wait to be stored. */
  readonly maxPending: number
  readonly logger: Pick<Logger, 'warn'>
  readonly nowMs?: () => number
}

/** Additional duration of a lease after the longest time that an attempt can take. */
const leaseMarginMs = 3_000

export function createIdempotentPlacement(options: IdempotentPlacementOptions): PlaceIdempotently {
  const { writer, ordersCreated, keys, orders, deliveryTimeoutMs, maxPending, logger, nowMs = Date.now } = options
  const topic = ordersCreated.name
  const leaseMs = deliveryTimeoutMs + leaseMarginMs
  const batches = createKeyedBatches({ writer, topic, keys, leaseMs, waitMs: deliveryTimeoutMs, maxPending, logger })
  const recover = createRecovery({ writer, topic, keys, orders, leaseMs })

  return async (command, { caller, key, traceparent }) => {
    const event = acceptOrder(command, { orderID: newID(), nowMs: nowMs() })
    const claim = {
      ...{ caller: caller ?? reservedName, key, traceparent },
      ...{ fingerprint: fingerprintOf(event), orderID: event.orderID, acceptedAtMs: event.createdAtMs }
    }
    const order = { claim, record: toRecord(ordersCreated, event, traceparent, { caller }) }
    const recordOf = ({ orderID, acceptedAtMs, traceparent }: KeyedOrder) =>
      toRecord(ordersCreated, acceptOrder(command, { orderID, nowMs: acceptedAtMs }), traceparent, { caller })

    for (let tries = 0; tries < maxTries; tries++) {
      const known = await batches.add(order)
      if (known === undefined) return { kind: 'placed', orderID: claim.orderID, traceparent, isReplay: false }
      if (!known.fingerprint.equals(claim.fingerprint)) return { kind: 'key-conflict' }
      const placement = placementOf(known)
      if (placement !== undefined) return placement
      await recover(known, recordOf)
    }
    throw notConverged()
  }
}

function fingerprintOf(event: OrderCreated): Buffer {
  return hash('sha256', canonicalize(event), 'buffer')
}

/** Returns the result of a request whose key exists; undefined if its order must be recovered. */
function placementOf({ orderID, traceparent, state }: KnownKey): Placement | undefined {
  if (state.kind === 'stored') return { kind: 'placed', orderID, traceparent, isReplay: true }
  if (state.leaseLeftMs > 0) return { kind: 'in-flight', retryAfterMs: state.leaseLeftMs }
  return undefined
}
