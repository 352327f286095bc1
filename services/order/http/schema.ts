import { orderCreatedSchemas, type RecordSchema } from '@orderly/contracts'
import { idempotencyKeyForm, idempotencyKeyPattern, printable, refer } from '@orderly/service-kit'
import { type Static, type TSchema, Type } from 'typebox'
import { currencies, decimalsOf, defaultCurrency } from '../domain/accept-order.ts'
import type { PlainFields } from '../domain/order-change.ts'

/** Schemas for placing orders: the source of validation, types and the OpenAPI document. */

const Item = Type.Object(
  {
    sku: Type.String({
      description: '1 to 64 printable characters without white space around them',
      minLength: 1,
      maxLength: 64,
      pattern: printable,
      examples: ['TEA-EARL-GREY-100G']
    }),
    quantity: Type.Integer({ description: 'Number of pieces.', minimum: 1, maximum: 1_000_000, examples: [2] })
  },
  { additionalProperties: false }
)

const orderLines = {
  userID: Type.String({
    description: '1 to 128 printable characters without white space around them',
    minLength: 1,
    maxLength: 128,
    pattern: printable,
    examples: ['user-17']
  }),
  items: Type.Array(Item, {
    description: 'Order lines, one per SKU. A duplicate SKU is refused; its quantities are not added up.',
    minItems: 1,
    maxItems: 100,
    'x-unique-by': 'sku'
  })
}

const total = { minimum: 0, maximum: 1_000_000_000, examples: [25.5] }
const euros = {
  ...orderLines,
  total: Type.Number({
    description: 'Total in euros, with at most two decimals. It is stored exactly, not as a binary fraction.',
    multipleOf: 0.01,
    ...total
  })
}

const anyCurrency = {
  ...orderLines,
  total: Type.Number({
    description:
      'Total with at most the decimals of its currency: 2 for EUR, none for JPY, 3 for KWD. It is stored exactly, not as a binary fraction.',
    multipleOf: 0.001,
    ...total
  }),
  currency: Type.Optional(
    Type.Enum(currencies as string[], {
      description: 'the ISO 4217 code of the currency of `total`, in upper case',
      default: defaultCurrency
    })
  )
}

const usually = decimalsOf(defaultCurrency)
const others = currencies.filter(code => decimalsOf(code) !== usually).map(code => [code, decimalsOf(code)] as const)
/**
 * Schema keyword of the order that limits the decimals of `total` by `currency`, which a schema of
 * `total` cannot.
 */
const decimalsOfTotal = {
  'x-decimals': { of: 'total', by: 'currency', usualUnit: defaultCurrency, usually, but: Object.fromEntries(others) }
}

const longestHoldSeconds = 604_800

/** A field of the order without a schema is a type error. Requests cannot have other fields. */
const plainFields = {
  holdSeconds: Type.Optional(
    Type.Integer({
      description:
        'Duration of a hold in seconds, from the reservation on, at most one week. The stock is released at the end of the hold unless the order was confirmed. Without `holdSeconds` the stock stays reserved.',
      minimum: 1,
      maximum: longestHoldSeconds,
      examples: [900]
    })
  )
} satisfies Record<keyof PlainFields, TSchema>

const newestFields = { ...anyCurrency, ...plainFields }

/**
 * Returns the fields of an order, for a single order and for an order in a batch.
 * @param orderCreatedVersion version of OrderCreated to write; fields that it lacks are left out
 */
export function orderFields(orderCreatedVersion: number): typeof newestFields {
  const versions: Readonly<Record<number, RecordSchema>> = orderCreatedSchemas.versions
  const written = new Set(versions[orderCreatedVersion]?.fields.map(({ name }) => name))
  const fields = Object.entries(written.has('currency') ? newestFields : { ...newestFields, ...euros })
  return Object.fromEntries(fields.filter(([name]) => name === 'total' || written.has(name))) as typeof newestFields
}

export const PlaceOrder = Type.Object(newestFields, { $id: 'PlaceOrder' })

export const OrderLinks = Type.Object(
  {
    self: Type.String({ description: 'URL of the order.', format: 'uri-reference' }),
    events: Type.String({
      description: 'URL of the status stream (server-sent events).',
      format: 'uri-reference'
    })
  },
  { $id: 'OrderLinks' }
)

export function linksTo(orderID: string): Static<typeof OrderLinks> {
  const self = `/orders/${encodeURIComponent(orderID)}`
  return { self, events: `${self}/events` }
}

export const OrderAccepted = Type.Object(
  {
    orderID: Type.String({ description: 'Unique id that increases with time (UUID version 7).', format: 'uuid' }),
    status: Type.Literal('accepted'),
    links: refer(OrderLinks)
  },
  { $id: 'OrderAccepted' }
)

/**
 * Maximum size of an order: the largest one with every character escaped, and room for white space.
 */
export const maxOrderBytes = 131_072

/** Schema keywords of an object with the fields of an order. */
export const orderRules = { additionalProperties: false, ...decimalsOfTotal }

/** Returns the schemas that routes refer to by name, so that the document defines each once. */
export function sharedSchemas(orderCreatedVersion: number) {
  const placeOrder = Type.Object(orderFields(orderCreatedVersion), { $id: 'PlaceOrder', ...orderRules })
  return [placeOrder, OrderAccepted]
}

/**
 * Header with the idempotency key of a request. It has no example: a key from the document would
 * belong to the first request that used it.
 */
export const idempotencyKeyHeader = Type.String({
  description: idempotencyKeyForm,
  pattern: idempotencyKeyPattern
})

/** JSON field with the idempotency key of an order in a batch. */
export const idempotencyKey = Type.String({
  description: 'a key that the caller uses for this request only, such as a UUID: 1 to 255 printable ASCII characters',
  pattern: '^[\\x20-\\x7e]{1,255}$'
})
