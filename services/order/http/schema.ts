import { orderCreatedSchemas, type RecordSchema } from '@orderly/contracts'
import {
  idempotencyKeyForm,
  idempotencyKeyPattern,
  printable,
  refer,
  refused,
  retryAfter,
  serviceUnavailable
} from '@orderly/service-kit'
import { type TSchema, Type } from 'typebox'
import { currencies, decimalsOf, defaultCurrency } from '../domain/money.ts'
import type { PlainFields } from '../domain/order-change.ts'
import { OrderLinks, OrderResource } from './order-schema.ts'

/** Schemas of `POST /orders`: the source of validation, types and the OpenAPI document. */

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

const PlaceOrder = Type.Object(newestFields, { $id: 'PlaceOrder' })

const traceparent = {
  type: 'string',
  description: 'W3C trace context of this order. All records about the order have its trace id.'
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

const location = { type: 'string', description: 'URL of the order.' }
const preferenceApplied = { type: 'string', description: 'The wait preference that was applied.' }
const replayed = { type: 'string', description: '`true` if an earlier request had the same idempotency key.' }
const placedHeaders = {
  traceparent,
  location,
  'preference-applied': preferenceApplied,
  'idempotent-replayed': replayed
}

export const placeOrder = {
  operationId: 'placeOrder',
  summary: 'Place an order',
  description:
    'Accepts an order. Its outcome is decided later, sent to the customer, and available at `Location`. For at least 24 hours, a repeated request with the same `Idempotency-Key` and an equivalent body returns the same order. Without a key each request places a new order.',
  tags: ['orders'],
  headers: Type.Object({
    traceparent: Type.Optional(
      Type.String({
        description: 'W3C trace context to continue. A new trace starts if it is missing or invalid.'
      })
    ),
    'idempotency-key': Type.Optional(idempotencyKeyHeader),
    prefer: Type.Optional(
      Type.String({
        description:
          '`wait=5` waits up to 5 seconds for the outcome (RFC 7240); the maximum is 30. Ignored if too many requests wait.',
        examples: ['wait=5']
      })
    )
  }),
  body: refer(PlaceOrder),
  response: {
    200: {
      description: 'The order was accepted and got its outcome within the requested wait.',
      headers: placedHeaders,
      content: { 'application/json': { schema: refer(OrderResource) } }
    },
    202: {
      description: 'The order is stored on all in-sync replicas and will get exactly one outcome.',
      headers: placedHeaders,
      content: { 'application/json': { schema: refer(OrderAccepted) } }
    },
    400: refused('The body is not a valid order; nothing was accepted. `errors` names every invalid field.'),
    409: refused('Another request with this idempotency key is in flight.', retryAfter),
    413: refused('The body is larger than 128 KiB; nothing was accepted.'),
    415: refused('The body is not application/json; nothing was accepted.'),
    422: refused('The idempotency key belongs to another order.'),
    500: refused('Internal error.'),
    503: serviceUnavailable(
      'The order cannot be stored at the moment. After a timeout (unlike a refusal of a busy service) it is unknown whether the order was stored: try again with the same idempotency key.'
    )
  }
}
