import fc from 'fast-check'
import type { InventoryConfirmed } from '../generated/inventory-confirmed.ts'
import type { InventoryFailed } from '../generated/inventory-failed.ts'
import type { InventoryReleased } from '../generated/inventory-released.ts'
import type { InventoryReserved } from '../generated/inventory-reserved.ts'
import type { OrderChangeRequested } from '../generated/order-change-requested.ts'
import type { OrderCreated } from '../generated/order-created.ts'
import type { OrderRate } from '../generated/order-rate.ts'
import type { StockMoved } from '../generated/stock-moved.ts'

/** Generators for any event that the schemas allow; the services accept fewer. */

/** Any Unicode text without lone surrogates, which UTF-8 and so Avro strings cannot represent. */
const text = fc.string({ unit: 'binary' })
const quantity = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
/** Integers that avsc encodes exactly: up to 2^53 - 2 above zero, and down to -2^52 below. */
const long = fc.bigInt({ min: -(2n ** 52n), max: 2n ** 53n - 2n }).map(Number)
const item = fc.record({ sku: text, quantity }, { noNullPrototype: true })
const shortage = fc.record({ sku: text, requested: long, available: long, reason: text }, { noNullPrototype: true })

export function anyOrderCreated(): fc.Arbitrary<OrderCreated> {
  return fc.record(
    {
      orderID: text,
      userID: text,
      items: fc.array(item),
      totalMinor: long,
      currency: text,
      holdSeconds: fc.option(quantity),
      createdAtMs: long
    },
    { noNullPrototype: true }
  )
}

export function anyInventoryReserved(): fc.Arbitrary<InventoryReserved> {
  return fc.record(
    {
      ...{ orderID: text, userID: text, items: fc.array(item), decidedAtMs: long },
      ...{ holdUntilMs: fc.option(long), sequence: long }
    },
    { noNullPrototype: true }
  )
}

export function anyInventoryFailed(): fc.Arbitrary<InventoryFailed> {
  return fc.record(
    {
      ...{ orderID: text, userID: text, reason: text, shortages: fc.array(shortage) },
      ...{ decidedAtMs: long, sequence: long }
    },
    { noNullPrototype: true }
  )
}

export function anyOrderChangeRequested(): fc.Arbitrary<OrderChangeRequested> {
  return fc.record(
    { orderID: text, userID: text, change: text, requestedAtMs: long, requestID: text },
    { noNullPrototype: true }
  )
}

export function anyInventoryConfirmed(): fc.Arbitrary<InventoryConfirmed> {
  return fc.record(
    {
      ...{ orderID: text, userID: text, items: fc.array(item) },
      ...{ confirmedAtMs: long, requestID: text, sequence: long }
    },
    { noNullPrototype: true }
  )
}

export function anyInventoryReleased(): fc.Arbitrary<InventoryReleased> {
  return fc.record(
    {
      ...{ orderID: text, userID: text, items: fc.array(item), cause: text },
      ...{ releasedAtMs: long, requestID: text, sequence: long }
    },
    { noNullPrototype: true }
  )
}

export function anyOrderRate(): fc.Arbitrary<OrderRate> {
  const double = fc.double({ noNaN: true })
  return fc.record(
    {
      windowStartMs: long,
      windowEndMs: long,
      orders: long,
      perSecond: double,
      perMinute: double,
      late: long,
      revision: long,
      isFinal: fc.boolean()
    },
    { noNullPrototype: true }
  )
}

export function anyStockMoved(): fc.Arbitrary<StockMoved> {
  return fc.record(
    {
      ...{ movementID: text, sequence: long, sku: text, kind: text, delta: long, available: long, reserved: long },
      ...{
        by: text,
        reason: fc.option(text),
        caller: fc.option(text),
        idempotencyKey: fc.option(text),
        movedAtMs: long
      }
    },
    { noNullPrototype: true }
  )
}
