import { createHash } from 'node:crypto'
import { channel } from 'node:diagnostics_channel'
import { reservedName } from '@orderly/callers'
import { type OrderCreated, recordKey, toRecord } from '@orderly/contracts'
import {
  type ReservationEnd,
  type ReservedWriter,
  ReservedWriterError,
  type SequenceReservation,
  type Topic
} from '@orderly/kafka'
import { type Logger, newID } from '@orderly/service-kit'
import {
  acceptOrder,
  canonicalize,
  type OrderContext,
  type Placement,
  type PlaceOrder
} from '../domain/accept-order.ts'
import type { Claimed, KeyName, KeyStore } from '../store/idempotency-keys.ts'
import type { OrderStore } from '../store/order-store.ts'

/**
 * Places an order with an idempotency key: exactly one record in `orders.created` per key, even if
 * processes crash or hang and requests are repeated.
 *
 * 1. Reserve a producer id and its next sequence number in the topic: a **sequence reservation**
 *    (see ReservedWriter).
 * 2. Claim the key: store a row with the order's fingerprint, id, time, trace and *reservation*,
 *    leased to this attempt. KeyStore describes the states of a key.
 * 3. Write the record with the reserved sequence number.
 * 4. Mark the order as stored in the row, and answer.
 *
 * A crash before step 2 leaves nothing. A crash after it leaves the row. Once the lease has ended,
 * the next request with the key builds the same record and writes it with the *same reservation*.
 * The previous attempt may have written the record, or its produce request may still be in flight.
 * In both cases the broker recognizes the second record by its sequence number and only
 * acknowledges it. Therefore no attempt needs to check whether the record exists, and no previous
 * attempt needs to be stopped. The log itself prevents duplicates, not clocks or leases.
 *
 * Limitation: brokers forget a producer id that has written nothing for a day
 * (`producer.id.expiration.ms`). If a claim finds a reservation older than 12 hours, it replaces
 * the reservation. The attempt then writes only if the projection has not read the order from the
 * topic.
 */
export type PlaceIdempotently = (command: PlaceOrder, context: KeyedContext) => Promise<Placement>

export type KeyedContext = OrderContext & { readonly key: string }

export interface IdempotentPlacementOptions {
  readonly writer: ReservedWriter
  readonly ordersCreated: Topic<OrderCreated>
  readonly keys: KeyStore
  /** Orders that the projection has read from the topic. */
  readonly orders: Pick<OrderStore, 'find'>
  /** Duration of the lease; longer than an attempt can take. */
  readonly leaseMs: number
  readonly logger: Pick<Logger, 'warn'>
  readonly nowMs?: () => number
}

/**
 * Failpoints of an order with a key. A crash at any of them must not change the result. A tracer,
 * or a test that kills the process at a failpoint, subscribes to the diagnostics channel
 * `orderly:keyed-order`.
 */
type KeyedOrderFailpoint = 'sequence-reserved' | 'key-claimed' | 'order-written' | 'key-stored'

const keyedOrders = channel('orderly:keyed-order')

function failpoint(point: KeyedOrderFailpoint): void {
  if (keyedOrders.hasSubscribers) keyedOrders.publish({ point })
}

export function createIdempotentPlacement(options: IdempotentPlacementOptions): PlaceIdempotently {
  const { writer, ordersCreated, keys, orders, leaseMs, logger, nowMs = Date.now } = options

  return async (command, context) => {
    const { caller, traceparent } = context
    const name = nameOf(context)
    const orderID = newID()
    const acceptedAtMs = nowMs()
    const event = acceptOrder(command, { orderID, nowMs: acceptedAtMs })
    const reservation = await writer.reserve(ordersCreated.name, recordKey({ userID: event.userID, caller }))
    failpoint('sequence-reserved')
    // The reservation counts as used, by a row or by a record, until the opposite is known.
    let end: ReservationEnd = 'uncertain'
    try {
      const fingerprint = createHash('sha256').update(canonicalize(event)).digest('hex')
      const claim = { ...name, fingerprint, orderID, acceptedAtMs, traceparent, reservation }
      const claimed = await keys.claim(claim, leaseMs)
      failpoint('key-claimed')
      if (claimed.kind !== 'claimed') {
        end = 'unused'
        return claimed
      }
      const { order, attempt, needsLookup } = claimed
      const isOwnReservation = isSame(order.reservation, reservation)
      if (!isOwnReservation) end = 'unused'
      const isStored = needsLookup && (await orders.find([order.orderID])).has(order.orderID)
      if (!isStored) await write(claimed, command, context)
      failpoint('order-written')
      const isMarked = await keys.markStored(name).then(
        () => true,
        error => {
          // The order is stored, so the caller gets 202. A later attempt writes no second record.
          warnNotUpdated(error, context)
          return false
        }
      )
      failpoint('key-stored')
      if (isOwnReservation && isMarked && !needsLookup) end = 'written'
      return { kind: 'placed', orderID: order.orderID, traceparent: order.traceparent, isReplay: attempt > 1 }
    } finally {
      writer.release(reservation, end)
    }
  }

  async function write({ order, attempt }: Claimed, command: PlaceOrder, context: KeyedContext): Promise<void> {
    const event = acceptOrder(command, { orderID: order.orderID, nowMs: order.acceptedAtMs })
    try {
      const record = toRecord(ordersCreated, event, order.traceparent, { caller: context.caller })
      await writer.write({ topic: ordersCreated.name, ...order.reservation }, record)
    } catch (error) {
      const isUnwritten = error instanceof ReservedWriterError && !error.mayBeWritten && attempt === 1
      const name = nameOf(context)
      const noted = isUnwritten ? keys.forget(name) : keys.release(name, attempt)
      await noted.catch(failure => warnNotUpdated(failure, context))
      throw error
    }
  }

  function warnNotUpdated(error: unknown, { traceparent }: KeyedContext): void {
    logger.warn(
      { event: 'idempotency_key_not_updated', error, traceparent },
      'failed to store the state of an idempotency key, the next request with the key will store it'
    )
  }
}

function nameOf({ caller, key }: KeyedContext): KeyName {
  return { caller: caller ?? reservedName, key }
}

function isSame(reservation: Omit<SequenceReservation, 'topic'>, other: SequenceReservation): boolean {
  const { producerID, partition, sequence } = reservation
  return producerID === other.producerID && partition === other.partition && sequence === other.sequence
}
