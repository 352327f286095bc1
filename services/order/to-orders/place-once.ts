import { createHash } from 'node:crypto'
import { reservedName } from '@orderly/callers'
import { type OrderCreated, recordKey, toRecord } from '@orderly/contracts'
import { type OnceWriter, OnceWriterError, type SlotEnd, type Topic, type WriteSlot } from '@orderly/kafka'
import type { Logger } from '@orderly/service-kit'
import type { KeyedOrder, Placement } from '../domain/placement.ts'
import { meaningOf } from '../domain/same-meaning.ts'
import type { Claimed, KeyName, KeyStore } from '../store/key-store.ts'
import { passPoint } from './points.ts'

/**
 * An order with an idempotency key: one record in `orders.created` for each key, whatever crashes, hangs or comes twice.
 *
 * 1. Reserve a **slot** in the topic (a producer id and its next sequence number: see OnceWriter).
 * 2. Claim the key: a row with the order's fingerprint, id, time, trace and *slot*, leased to this attempt.
 * 3. Write the record into the slot.
 * 4. Settle the key: the row says that the order is stored. Answer.
 *
 * A crash before 2 leaves nothing. After 2 it leaves a row that says which order it is and where it is to be written; whoever
 * comes with the same key when the lease is over makes the same record of it and writes it into the *same slot*. If the former
 * attempt has written, or a request of its is still under way and arrives first, or later, the broker recognises the second one by
 * its number and only acknowledges it. So nobody needs to find out whether the record is there, and no former attempt needs to
 * be stopped: neither clocks nor leases keep an order from being written twice, the log itself does.
 *
 * What remains: brokers forget a producer id after a day (`producer.id.expiration.ms`) in which it wrote nothing. When an
 * order in flight is taken up again more than 12 hours after its slot was reserved, it is first looked for among the orders
 * read back from the topic, and gets a new slot if it is not there.
 */
export type PlaceOnce = (order: KeyedOrder) => Promise<Placement>

export interface PlaceOnceParts {
  readonly writer: OnceWriter
  readonly ordersCreated: Topic<OrderCreated>
  readonly keys: KeyStore
  /** Whether the order was read back from the topic. */
  readonly isKnown: (orderID: string) => Promise<boolean>
  readonly newOrderID: () => string
  readonly nowMs: () => number
  /** How long an attempt has the key for itself: more than it may take. */
  readonly leaseMs: number
  readonly logger: Pick<Logger, 'warn'>
}

export function createPlaceOnce(parts: PlaceOnceParts): PlaceOnce {
  const { writer, ordersCreated, keys, isKnown, newOrderID, nowMs, leaseMs, logger } = parts

  return async keyed => {
    const { traceparent, accept } = keyed
    const name = nameOf(keyed)
    const given = { orderID: newOrderID(), nowMs: nowMs() }
    const event = accept(given)
    const reserved = await writer.reserve(ordersCreated.name, recordKey({ userID: event.userID, caller: keyed.caller }))
    passPoint('slot-reserved')
    // Until the opposite is known, the slot may stand in a row, or hold a record.
    let end: SlotEnd = 'uncertain'
    try {
      const claimed = await keys.claim(
        {
          ...name,
          fingerprint: createHash('sha256').update(meaningOf(event)).digest('hex'),
          orderID: given.orderID,
          acceptedAtMs: given.nowMs,
          traceparent,
          slot: reserved
        },
        leaseMs
      )
      passPoint('key-claimed')
      if (claimed.kind !== 'yours') {
        end = 'unused'
        return claimed.kind === 'stored' ? placed(claimed.order, true) : claimed
      }
      const isOwnSlot = isSame(claimed.order.slot, reserved)
      if (!isOwnSlot) end = 'unused'
      if (!claimed.mustLook || !(await isKnown(claimed.order.orderID))) await write(claimed, keyed)
      passPoint('order-written')
      const isSettled = await keys.settle(name).then(
        () => true,
        error => {
          // The next attempt finds the record in its slot. The caller's order is stored, and that is what it is told.
          tellUnnoted(error, keyed)
          return false
        }
      )
      passPoint('key-settled')
      if (isOwnSlot && isSettled && !claimed.mustLook) end = 'written'
      return placed(claimed.order, claimed.attempt > 1)
    } finally {
      writer.giveBack(reserved, end)
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
      const isUnwritten = error instanceof OnceWriterError && !error.mayBeWritten && attempt === 1
      const name = nameOf(keyed)
      const noted = isUnwritten ? keys.forget(name) : keys.release(name, attempt)
      await noted.catch(failure => tellUnnoted(failure, keyed))
      throw error
    }
  }

  function tellUnnoted(error: unknown, { traceparent }: KeyedOrder): void {
    logger.warn({ error, traceparent }, 'the state of an idempotency key could not be noted; its next use will')
  }
}

function nameOf({ caller, key }: KeyedOrder): KeyName {
  return { caller: caller ?? reservedName, key }
}

function placed({ orderID, traceparent }: { orderID: string; traceparent: string }, isReplay: boolean): Placement {
  return { kind: 'placed', orderID, traceparent, isReplay }
}

function isSame(slot: Omit<WriteSlot, 'topic'>, other: WriteSlot): boolean {
  return slot.producerID === other.producerID && slot.partition === other.partition && slot.sequence === other.sequence
}
