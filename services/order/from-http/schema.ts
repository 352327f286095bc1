import {
  idempotencyKeyForm,
  idempotencyKeyPattern,
  printable,
  refer,
  refused,
  retryAfter,
  serviceUnavailable
} from '@orderly/service-kit'
import { Type } from 'typebox'
import { currencies, decimalsOf, defaultCurrency } from '../domain/currency.ts'
import { OrderLinks, OrderResource } from './order-schema.ts'

/** The single source of what `POST /orders` takes and answers: validation, types and the OpenAPI document. */

const Item = Type.Object(
  {
    sku: Type.String({
      description: '1 to 64 printable characters without white space around them',
      minLength: 1,
      maxLength: 64,
      pattern: printable,
      examples: ['TEA-EARL-GREY-100G']
    }),
    quantity: Type.Integer({ description: 'Pieces.', minimum: 1, maximum: 1_000_000, examples: [2] })
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
    description: 'What is ordered. One line for each SKU: the same SKU twice is refused, not added up.',
    minItems: 1,
    maxItems: 100,
    'x-unique-by': 'sku'
  })
}

const total = { minimum: 0, maximum: 1_000_000_000, examples: [25.5] }
const euros = {
  ...orderLines,
  total: Type.Number({
    description: 'What the order costs in euros, with at most two decimals. Kept exactly, never as a binary fraction.',
    multipleOf: 0.01,
    ...total
  })
}

const anyCurrency = {
  ...orderLines,
  total: Type.Number({
    description:
      'What the order costs, with at most the decimals of its currency: 2 of EUR, none of JPY, 3 of KWD. Kept exactly, never as a binary fraction.',
    multipleOf: 0.001,
    ...total
  }),
  currency: Type.Optional(
    Type.Enum(currencies as string[], {
      description: 'the ISO 4217 code of the currency of `total`, in capitals',
      default: defaultCurrency
    })
  )
}

const usually = decimalsOf(defaultCurrency)
const others = currencies.filter(code => decimalsOf(code) !== usually).map(code => [code, decimalsOf(code)] as const)
/** Of an object with a total: what no schema of the total alone can say. */
const decimalsOfTotal = {
  'x-decimals': { of: 'total', by: 'currency', usualUnit: defaultCurrency, usually, but: Object.fromEntries(others) }
}

const longestHoldSeconds = 604_800

const withHold = {
  ...anyCurrency,
  holdSeconds: Type.Optional(
    Type.Integer({
      description:
        'Holds the reserved stock for so many seconds, a week at most, from when it was reserved: unless the order is confirmed until then, the stock is given back. Without it the stock stays reserved.',
      minimum: 1,
      maximum: longestHoldSeconds,
      examples: [900]
    })
  )
}

/**
 * As in an order that is sent alone, for an order that is part of something.
 * @param orderCreatedVersion what that version of OrderCreated cannot say is no field
 */
export function orderFields(orderCreatedVersion: number) {
  const fields = [euros, anyCurrency, withHold][orderCreatedVersion - 1] ?? withHold
  return fields as typeof withHold
}

const PlaceOrder = Type.Object(withHold, { $id: 'PlaceOrder' })

const traceparent = { type: 'string', description: 'W3C trace context of this order; the same trace id goes with it.' }

export const OrderAccepted = Type.Object(
  {
    orderID: Type.String({ description: 'Unique and rising with time (UUID version 7).', format: 'uuid' }),
    status: Type.Literal('accepted'),
    links: refer(OrderLinks)
  },
  { $id: 'OrderAccepted' }
)

/** The largest order with every character escaped, and some room for white space. */
export const maxOrderBytes = 131_072

/** What an object with these fields is besides. */
export const orderRules = { additionalProperties: false, ...decimalsOfTotal }

/** Added to the server, so that the routes can refer to them and the document names each once. */
export function sharedSchemas(orderCreatedVersion: number) {
  const placeOrder = Type.Object(orderFields(orderCreatedVersion), { $id: 'PlaceOrder', ...orderRules })
  return [placeOrder, OrderAccepted]
}

const exampleKey = '7f9c2a40-5c1e-4c1a-9a83-0d6a9f6f8b11'

/** The header, by which a request is done once. */
export const idempotencyKeyHeader = Type.String({
  description: idempotencyKeyForm,
  pattern: idempotencyKeyPattern,
  examples: [exampleKey]
})

/** Key of an order in a batch, where it is a field of JSON. */
export const idempotencyKey = Type.String({
  description:
    'a name for this request that no other of the caller has, such as a UUID: 1 to 255 printable ASCII characters',
  pattern: '^[\\x20-\\x7e]{1,255}$',
  examples: [exampleKey]
})

const location = { type: 'string', description: 'Where to ask for the order.' }
const preferenceApplied = { type: 'string', description: 'How long was waited for the outcome at most.' }
const replayed = { type: 'string', description: '`true` when an earlier request with this key placed the order.' }
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
    'Accepts an order. Whether its stock could be reserved is decided afterwards, told to the customer, and found where `Location` says. The same `Idempotency-Key` with the same order, whatever way it is written, is the same order and gets the same answer, for 24 hours at least. Without it each request is a new order.',
  tags: ['orders'],
  headers: Type.Object({
    traceparent: Type.Optional(
      Type.String({
        description: 'W3C trace context to go on with; a new trace starts when it is missing or not valid.'
      })
    ),
    'idempotency-key': Type.Optional(idempotencyKeyHeader),
    prefer: Type.Optional(
      Type.String({
        description:
          '`wait=5` waits so many seconds, 30 at most, for the outcome (RFC 7240). Ignored when it cannot be waited for.',
        examples: ['wait=5']
      })
    )
  }),
  body: refer(PlaceOrder),
  response: {
    200: {
      description: 'The order was accepted and has its outcome, which was waited for.',
      headers: placedHeaders,
      content: { 'application/json': { schema: refer(OrderResource) } }
    },
    202: {
      description: 'The order is stored on all in-sync replicas and will get exactly one outcome.',
      headers: placedHeaders,
      content: { 'application/json': { schema: refer(OrderAccepted) } }
    },
    400: refused('The body is not an order; nothing was accepted. Every field that is wrong is named.'),
    409: refused('A request with this idempotency key is still being worked on.', retryAfter),
    413: refused('The body is larger than 128 KiB; nothing was accepted.'),
    415: refused('The body is not application/json; nothing was accepted.'),
    422: refused('The idempotency key belongs to another order.'),
    500: refused('Our fault.'),
    503: serviceUnavailable(
      'Cannot be stored at the moment. When the time for it ran out (not when the service was too busy) the order may have been stored all the same: try again with the same idempotency key.'
    )
  }
}
