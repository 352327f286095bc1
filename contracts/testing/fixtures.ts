import { randomUUID } from 'node:crypto'
import { type InventoryConfirmed, inventoryConfirmedSchemas } from '../generated/inventory-confirmed.ts'
import { type InventoryFailed, inventoryFailedSchemas } from '../generated/inventory-failed.ts'
import { type InventoryReleased, inventoryReleasedSchemas } from '../generated/inventory-released.ts'
import { type InventoryReserved, inventoryReservedSchemas } from '../generated/inventory-reserved.ts'
import { type OrderChangeRequested, orderChangeRequestedSchemas } from '../generated/order-change-requested.ts'
import { type OrderCreated, orderCreatedSchemas } from '../generated/order-created.ts'
import type { OrderRate } from '../generated/order-rate.ts'
import type { StockMoved } from '../generated/stock-moved.ts'
import { defaultsOf, type RecordSchema } from '../schema.ts'

/**
 * Valid events with new ids. A test specifies only the fields that matter to it. Fields that were
 * added in later versions have their defaults.
 */

export function orderCreated(fields: Partial<OrderCreated> = {}): OrderCreated {
  return {
    ...defaultsOf(orderCreatedSchemas),
    ...identity(),
    items: [{ sku: 'MUG-WHITE', quantity: 2 }],
    totalMinor: 2_490,
    createdAtMs: Date.now(),
    ...fields
  }
}

export function inventoryReserved(fields: Partial<InventoryReserved> = {}): InventoryReserved {
  return {
    ...defaultsOf(inventoryReservedSchemas),
    ...identity(),
    items: [{ sku: 'MUG-WHITE', quantity: 2 }],
    decidedAtMs: Date.now(),
    sequence: 1,
    ...fields
  }
}

export function inventoryFailed(fields: Partial<InventoryFailed> = {}): InventoryFailed {
  return {
    ...defaultsOf(inventoryFailedSchemas),
    ...identity(),
    reason: 'OUT_OF_STOCK',
    shortages: [{ sku: 'MUG-WHITE', requested: 2, available: 1, reason: 'OUT_OF_STOCK' }],
    decidedAtMs: Date.now(),
    sequence: 1,
    ...fields
  }
}

export function orderChangeRequested(fields: Partial<OrderChangeRequested> = {}): OrderChangeRequested {
  return {
    ...defaultsOf(orderChangeRequestedSchemas),
    ...identity(),
    change: 'cancel',
    requestedAtMs: Date.now(),
    requestID: randomUUID(),
    ...fields
  }
}

export function inventoryConfirmed(fields: Partial<InventoryConfirmed> = {}): InventoryConfirmed {
  return {
    ...defaultsOf(inventoryConfirmedSchemas),
    ...identity(),
    items: [{ sku: 'MUG-WHITE', quantity: 2 }],
    confirmedAtMs: Date.now(),
    requestID: randomUUID(),
    sequence: 2,
    ...fields
  }
}

export function inventoryReleased(fields: Partial<InventoryReleased> = {}): InventoryReleased {
  return {
    ...defaultsOf(inventoryReleasedSchemas),
    ...identity(),
    items: [{ sku: 'MUG-WHITE', quantity: 2 }],
    cause: 'cancelled',
    releasedAtMs: Date.now(),
    requestID: randomUUID(),
    sequence: 2,
    ...fields
  }
}

export function orderRate(fields: Partial<OrderRate> = {}): OrderRate {
  const windowStartMs = Math.floor(Date.now() / 60_000) * 60_000
  return {
    windowStartMs,
    windowEndMs: windowStartMs + 60_000,
    orders: 30,
    perSecond: 0.5,
    perMinute: 30,
    late: 0,
    revision: 1,
    isFinal: false,
    ...fields
  }
}

export function stockMoved(fields: Partial<StockMoved> = {}): StockMoved {
  return {
    movementID: randomUUID(),
    sequence: 1,
    sku: 'MUG-WHITE',
    kind: 'set',
    delta: 5,
    available: 5,
    reserved: 0,
    by: 'ada',
    reason: null,
    caller: null,
    idempotencyKey: null,
    movedAtMs: Date.now(),
    ...fields
  }
}

/** Returns the fields of an event that a version of its schema has. */
export function fieldsIn({ fields }: RecordSchema, event: object): object {
  const names = new Set(fields.map(({ name }) => name))
  return Object.fromEntries(Object.entries(event).filter(([name]) => names.has(name)))
}

function identity(): { orderID: string; userID: string } {
  return { orderID: randomUUID(), userID: `user-${randomUUID().slice(0, 8)}` }
}
