import fc from 'fast-check'
import { type InventoryConfirmed, inventoryConfirmedSchemas } from '../generated/inventory-confirmed.ts'
import { type InventoryFailed, inventoryFailedSchemas } from '../generated/inventory-failed.ts'
import { type InventoryReleased, inventoryReleasedSchemas } from '../generated/inventory-released.ts'
import { type InventoryReserved, inventoryReservedSchemas } from '../generated/inventory-reserved.ts'
import { type OrderChangeRequested, orderChangeRequestedSchemas } from '../generated/order-change-requested.ts'
import { type OrderCreated, orderCreatedSchemas } from '../generated/order-created.ts'
import { type OrderRate, orderRateSchemas } from '../generated/order-rate.ts'
import { type StockMoved, stockMovedSchemas } from '../generated/stock-moved.ts'
import type { AvroNode } from '../generator/typescript-types.ts'
import { type EventSchemas, newestSchema } from '../schema.ts'

/** Generators for any event that the newest schemas allow; the services accept fewer. */

export const anyOrderCreated = () => anyEvent<OrderCreated>(orderCreatedSchemas)
export const anyInventoryReserved = () => anyEvent<InventoryReserved>(inventoryReservedSchemas)
export const anyInventoryFailed = () => anyEvent<InventoryFailed>(inventoryFailedSchemas)
export const anyOrderChangeRequested = () => anyEvent<OrderChangeRequested>(orderChangeRequestedSchemas)
export const anyInventoryConfirmed = () => anyEvent<InventoryConfirmed>(inventoryConfirmedSchemas)
export const anyInventoryReleased = () => anyEvent<InventoryReleased>(inventoryReleasedSchemas)
export const anyOrderRate = () => anyEvent<OrderRate>(orderRateSchemas)
export const anyStockMoved = () => anyEvent<StockMoved>(stockMovedSchemas)

function anyEvent<Event>(schemas: EventSchemas): fc.Arbitrary<Event> {
  return anyValueOf(newestSchema(schemas) as unknown as AvroNode) as fc.Arbitrary<Event>
}

const anyPrimitive: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  null: fc.constant(null),
  boolean: fc.boolean(),
  int: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  /** Integers that avsc encodes exactly: up to 2^53 - 2 above zero, and down to -2^52 below. */
  long: fc.bigInt({ min: -(2n ** 52n), max: 2n ** 53n - 2n }).map(Number),
  double: fc.double({ noNaN: true }),
  /** Any Unicode text without lone surrogates, which UTF-8 and so Avro strings cannot represent. */
  string: fc.string({ unit: 'binary' })
}

function anyValueOf(node: AvroNode): fc.Arbitrary<unknown> {
  if (typeof node === 'string') {
    const any = anyPrimitive[node]
    if (any === undefined) throw new Error(`no values of the Avro type "${node}" can be generated: add it here`)
    return any
  }
  if (!('type' in node)) return fc.oneof(...node.map(anyValueOf))
  if (node.type === 'array') return fc.array(anyValueOf(node.items as AvroNode))
  if (node.type !== 'record') return anyValueOf(node.type)
  const fields = node.fields as readonly { readonly name: string; readonly type: AvroNode }[]
  const values = Object.fromEntries(fields.map(({ name, type }) => [name, anyValueOf(type)]))
  return fc.record(values, { noNullPrototype: true })
}
