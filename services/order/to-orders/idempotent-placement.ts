import { createHash } from 'node:crypto'
import { reservedName } from '@orderly/callers'
import { type OrderCreated, recordKey, toRecord } from '@orderly/contracts'
import {
  type ReservationEnd,
  type ReservedWriter,
  ReservedWriterError,
  type SequenceReservation,
  type Topic
} from '@orderly/kafka'
import type { Logger } from '@orderly/service-kit'
import { canonicalize } from '../domain/order-fingerprint.ts'
import type { KeyedOrder, Placement } from '../domain/placement.ts'
import type { Claimed, KeyName, KeyStore } from '../store/key-store.ts'
import { failpoint } from './failpoints.ts'

/**
 * Places an order with an idempotency key: exactly one record in `orders.created` per key, even if
 * processes crash or hang and requests are repeated.
 *
 * 1. Reserve a producer id and its next sequence number in the topic: a **sequence reservation**
 *    (see ReservedWriter).
 * 2. Claim the key: store a row with the order's fingerprint, id, time, trace and *reservation*,
 *    leased to this attempt.
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
export type IdempotentPlacement = (order: KeyedOrder) => Promise<Placement>

export interface IdempotentPlacementParts {
  readonly writer: ReservedWriter
  readonly ordersCreated: Topic<OrderCreated>
  readonly keys: KeyStore
  /** Returns true if the projection has read the order from the topic. */
  readonly isKnown: (orderID: string) => Promise<boolean>
  readonly newOrderID: () => string
  readonly nowMs: () => number
  /** Duration of the lease; longer than an attempt can take. */
  readonly leaseMs: number
  readonly logger: Pick<Logger, 'warn'>
}

export function createIdempotentPlacement(parts: IdempotentPlacementParts): IdempotentPlacement {
  const { writer, ordersCreated, keys, isKnown, newOrderID, nowMs, leaseMs, logger } = parts

  return async keyed => {
    const { traceparent, accept } = keyed
    const name = nameOf(keyed)
    const given = { orderID: newOrderID(), nowMs: nowMs() }
    const event = accept(given)
    const reserved = await writer.reserve(ordersCreated.name, recordKey({ userID: event.userID, caller: keyed.caller }))
    failpoint('slot-reserved')
    // The reservation counts as used, by a row or by a record, until the opposite is known.
    let end: ReservationEnd = 'uncertain'
    try {
      const claimed = await keys.claim(
        {
          ...name,
          fingerprint: createHash('sha256').update(canonicalize(event)).digest('hex'),
          orderID: given.orderID,
          acceptedAtMs: given.nowMs,
          traceparent,
          slot: reserved
        },
        leaseMs
      )
      failpoint('key-claimed')
      if (claimed.kind !== 'yours') {
        end = 'unused'
        return claimed.kind === 'stored' ? placed(claimed.order, true) : claimed
      }
      const isOwnReservation = isSame(claimed.order.slot, reserved)
      if (!isOwnReservation) end = 'unused'
      if (!claimed.needsLookup || !(await isKnown(claimed.order.orderID))) await write(claimed, keyed)
      failpoint('order-written')
      const isSettled = await keys.settle(name).then(
        () => true,
        error => {
          // The order is stored, so the caller gets 202. A later attempt writes no second record.
          tellUnnoted(error, keyed)
          return false
        }
      )
      failpoint('key-settled')
      if (isOwnReservation && isSettled && !claimed.needsLookup) end = 'written'
      return placed(claimed.order, claimed.attempt > 1)
    } finally {
      writer.release(reserved, end)
    }
  }

  async function write({ order, attempt }: Extract<Claimed, { kind: 'yours' }>, keyed: KeyedOrder): Promise<void> {
    const event = keyed.accept({ orderID: order.orderID, nowMs: order.acceptedAtMs })
    try {
      await writer.write(
        { topic: ordersCreated.name, ...order.slot },
        toRecord(ordersCreated, event, order.traceparent, { caller: keyed.caller })
      )
    } catch (error) {
      const isUnwritten = error instanceof ReservedWriterError && !error.mayBeWritten && attempt === 1
      const name = nameOf(keyed)
      const noted = isUnwritten ? keys.forget(name) : keys.release(name, attempt)
      await noted.catch(failure => tellUnnoted(failure, keyed))
      throw error
    }
  }

  function tellUnnoted(error: unknown, { traceparent }: KeyedOrder): void {
    logger.warn(
      { event: 'idempotency_key_not_updated', error, traceparent },
      'failed to store the state of an idempotency key, the next request with the key will store it'
    )
  }
}

function nameOf({ caller, key }: KeyedOrder): KeyName {
  return { caller: caller ?? reservedName, key }
}

function placed({ orderID, traceparent }: { orderID: string; traceparent: string }, isReplay: boolean): Placement {
  return { kind: 'placed', orderID, traceparent, isReplay }
}

function isSame(slot: Omit<SequenceReservation, 'topic'>, other: SequenceReservation): boolean {
  return slot.producerID === other.producerID && slot.partition === other.partition && slot.sequence === other.sequence
}
