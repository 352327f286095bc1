import { isoTime, orderStatuses } from '@orderly/contracts'
import { printable, refer, refused, retryAfter, serviceUnavailable } from '@orderly/service-kit'
import { type Static, type TSchema, Type } from 'typebox'
import { knownDecimalsOf, toMajorUnits } from '../domain/accept-order.ts'
import type { PlainFields } from '../domain/order-change.ts'
import { type Order, type StatusEvent, statusEvents, statusOf } from '../domain/order-status.ts'
import { maxCursorLength } from './cursor.ts'
import { maxTokenLength } from './order-token.ts'
import { linksTo, OrderLinks } from './schema.ts'

/** Schemas for reading orders: the source of validation, types and the OpenAPI document. */

const orderID = Type.String({
  description: 'the `orderID` from the answer to `POST /orders`: 1 to 64 printable characters',
  minLength: 1,
  maxLength: 64,
  pattern: printable
})

export const orderStatus = Type.Enum([...orderStatuses], {
  description:
    '`accepted` until the outcome, which is `reserved` or `failed`. An order with a hold then becomes `confirmed` or `expired`. An order that has not failed or expired can be `cancelled`.'
})

const timestamp = (description: string) => Type.String({ description, format: 'date-time' })

/** A field of the order without a schema is a type error. Answers contain only fields with a schema. */
const plainFields = {
  holdSeconds: Type.Optional(Type.Integer({ description: 'Duration of the hold in seconds.' }))
} satisfies Record<keyof PlainFields, TSchema>

export const OrderResource = Type.Object(
  {
    orderID: Type.String({ format: 'uuid' }),
    userID: Type.String(),
    caller: Type.Optional(
      Type.String({
        description: 'Caller that placed the order; absent if the service requires no API keys.',
        examples: ['berlin']
      })
    ),
    status: orderStatus,
    items: Type.Array(Type.Object({ sku: Type.String(), quantity: Type.Integer() })),
    total: Type.Optional(
      Type.Number({
        description: 'Total in major units of the currency, exactly as ordered. Absent for an unknown currency.'
      })
    ),
    totalMinor: Type.Optional(
      Type.Integer({
        description:
          'Total in minor units. Present only for a currency whose number of decimals the service does not know.'
      })
    ),
    currency: Type.String({ description: 'ISO 4217 code.' }),
    ...plainFields,
    acceptedAt: timestamp('Time of the acceptance.'),
    decidedAt: Type.Optional(timestamp('Time of the outcome.')),
    holdUntil: Type.Optional(timestamp('End of the hold, after which the order expires unless it was confirmed.')),
    confirmedAt: Type.Optional(timestamp('Time of the confirmation.')),
    cancelledAt: Type.Optional(timestamp('Time of the cancellation.')),
    expiredAt: Type.Optional(timestamp('Time at which the stock was released because the hold had ended.')),
    reason: Type.Optional(
      Type.String({
        description:
          'Reason of the failure: `UNKNOWN_SKU` for a SKU that is not kept in stock, `HOLD_TOO_LONG` or `HELD_QUANTITY_EXCEEDED` for a limit on holds, otherwise `OUT_OF_STOCK`. Clients must accept other values.',
        examples: ['OUT_OF_STOCK', 'UNKNOWN_SKU']
      })
    ),
    shortages: Type.Optional(
      Type.Array(
        Type.Object({
          sku: Type.String(),
          requested: Type.Integer(),
          available: Type.Integer(),
          reason: Type.String({
            description: '`OUT_OF_STOCK` or `UNKNOWN_SKU`. Clients must accept other values.',
            examples: ['OUT_OF_STOCK', 'UNKNOWN_SKU']
          })
        }),
        { description: 'SKUs that could not be reserved, if the order failed.' }
      )
    ),
    traceID: Type.Optional(Type.String({ description: 'Trace id of the order (W3C trace context).' })),
    links: refer(OrderLinks)
  },
  { $id: 'Order', description: 'An order and its status.' }
)

export const OrderPage = Type.Object(
  {
    orders: Type.Array(refer(OrderResource)),
    nextCursor: Type.Optional(
      Type.String({
        description:
          'Cursor of the next page; absent on the last page. A page with a filter can be short or empty and still have a next page.'
      })
    )
  },
  { $id: 'OrderPage' }
)

const StatusNotice = Type.Object(
  {
    orderID: Type.String({ format: 'uuid' }),
    status: orderStatus,
    at: timestamp('Time of the status change.'),
    isFinal: Type.Boolean({
      description:
        'True if no later change is possible. `reserved` and `confirmed` are not final, because the order can still be cancelled.'
    })
  },
  { $id: 'StatusNotice', description: 'Data of an event in the status stream of an order.' }
)

/** Fields of one event of the stream, as in OpenAPI 3.2. OpenAPI 3.1 does not define streams. */
const StatusStreamEvent = Type.Object(
  {
    id: Type.String({ description: 'Event id, to be sent as `Last-Event-ID` when reconnecting.' }),
    event: Type.Literal('status'),
    data: Type.String({ contentMediaType: 'application/json', contentSchema: refer(StatusNotice) })
  },
  { $id: 'StatusStreamEvent', description: 'An event in the status stream of an order.' }
)

export const querySchemas = [OrderLinks, OrderResource, OrderPage, StatusNotice, StatusStreamEvent]

export const unknownOrder = refused(
  'The order does not exist. With `Retry-After`: the order may have been accepted recently, or within the last hour during an outage, and may not be known yet.',
  retryAfter
)

export const orderParams = Type.Object({ orderID })

const token = Type.String({
  description: 'Order token, for clients that cannot send the header `Authorization`.',
  maxLength: maxTokenLength
})

export const getOrder = {
  operationId: 'getOrder',
  summary: 'Get an order',
  description: 'Returns the order and its status. Waits up to two seconds for an order that was just accepted.',
  tags: ['orders'],
  params: orderParams,
  querystring: Type.Object({ token: Type.Optional(token) }),
  response: {
    200: { description: 'The order.', content: { 'application/json': { schema: refer(OrderResource) } } },
    400: refused('The request is invalid.'),
    404: unknownOrder,
    500: refused('Internal error.'),
    503: serviceUnavailable('The order status is unavailable.')
  }
}

const utcTime = '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d(:\\d\\d(\\.\\d{1,3})?)?Z$'
const utcForm = 'in UTC, such as `2026-01-31T12:00:00Z`'

export const listOrders = {
  operationId: 'listOrders',
  summary: 'List orders',
  description:
    'Returns the orders that match all given filters, newest first. A shop must give `userID` and gets its own orders; the other roles can list the orders of all users and shops. Orders that are placed meanwhile do not shift later pages. A page examines 10,000 orders at most, so a filter by status, SKU or time can result in a short or empty page: continue with `nextCursor` while there is one. An order that was just accepted may not be listed yet; `GET /orders/{orderID}` finds it immediately.',
  tags: ['orders'],
  querystring: Type.Object(
    {
      userID: Type.Optional(
        Type.String({
          description: '1 to 128 printable characters without white space around them; required for a shop',
          minLength: 1,
          maxLength: 128,
          pattern: printable,
          examples: ['user-17']
        })
      ),
      status: Type.Optional(orderStatus),
      sku: Type.Optional(
        Type.String({
          description: 'the SKU of at least one item: 1 to 64 printable characters without white space around them',
          minLength: 1,
          maxLength: 64,
          pattern: printable
        })
      ),
      acceptedFrom: Type.Optional(
        Type.String({ description: `the earliest \`acceptedAt\`, ${utcForm}`, pattern: utcTime })
      ),
      acceptedUntil: Type.Optional(
        Type.String({ description: `the time before which the orders were accepted, ${utcForm}`, pattern: utcTime })
      ),
      limit: Type.Optional(
        Type.String({
          description: '1 to 100, default 20',
          pattern: '^([1-9][0-9]?|100)$'
        })
      ),
      cursor: Type.Optional(
        Type.String({
          description: '`nextCursor` of the previous page, unchanged.',
          minLength: 1,
          maxLength: maxCursorLength
        })
      )
    },
    { additionalProperties: false }
  ),
  response: {
    200: { description: 'A page of orders.', content: { 'application/json': { schema: refer(OrderPage) } } },
    400: refused('The request is invalid, or the cursor was not issued for this list.'),
    500: refused('Internal error.'),
    503: serviceUnavailable('The order status is unavailable.')
  }
}

export const streamOrder = {
  operationId: 'streamOrder',
  summary: 'Stream the status of an order',
  description:
    'Sends a server-sent event of type `status` for each past and future status, with a StatusNotice as its data. By default the stream ends once only a cancel can still change the status. That is after the outcome, or for a hold after `confirmed`, `expired` or `cancelled`; the last event may have `isFinal: false`. With `until=final` the stream ends after the final status. A client that reconnects with `Last-Event-ID`, as browsers do automatically, gets the events after that one.',
  tags: ['orders'],
  params: orderParams,
  querystring: Type.Object(
    {
      until: Type.Optional(
        Type.Enum(['settled', 'final'], {
          description:
            'End of the stream: once only a cancel can still change the status (`settled`, the default), or after the final status (`final`).'
        })
      ),
      token: Type.Optional(token)
    },
    { additionalProperties: false }
  ),
  headers: Type.Object({
    'last-event-id': Type.Optional(Type.String({ description: 'Id of the last event that the client received.' }))
  }),
  response: {
    200: {
      description: 'The status stream.',
      content: { 'text/event-stream': { schema: refer(StatusStreamEvent) } }
    },
    204: { description: 'The client has received all events and must not reconnect.' },
    400: refused('The request is invalid.'),
    404: unknownOrder,
    500: refused('Internal error.'),
    503: serviceUnavailable('The order status is unavailable, or too many streams are open.')
  }
}

export function toResource(order: Order): Static<typeof OrderResource> {
  const { orderID, userID, created, decided } = order
  const { items, totalMinor, currency, acceptedAtMs, traceID, caller, ...plain } = created
  const status = statusOf(order)
  const since = Object.fromEntries(statusEvents(order).map(({ status, atMs }) => [status, isoTime(atMs)]))
  return {
    orderID,
    userID,
    ...(caller !== undefined && { caller }),
    status,
    items: items.map(({ sku, quantity }) => ({ sku, quantity })),
    ...totalOf(totalMinor, currency),
    currency,
    ...plain,
    acceptedAt: isoTime(acceptedAtMs),
    ...(decided !== undefined && { decidedAt: isoTime(decided.decidedAtMs) }),
    ...(decided?.kind === 'reserved' &&
      decided.holdUntilMs !== undefined && { holdUntil: isoTime(decided.holdUntilMs) }),
    ...(since.confirmed !== undefined && { confirmedAt: since.confirmed }),
    ...(since.cancelled !== undefined && { cancelledAt: since.cancelled }),
    ...(since.expired !== undefined && { expiredAt: since.expired }),
    ...(decided?.kind === 'failed' &&
      status === 'failed' && { reason: decided.reason, shortages: [...decided.shortages] }),
    ...(traceID !== undefined && { traceID }),
    links: linksTo(orderID)
  }
}

export function toNotice(orderID: string, { status, atMs, isFinal }: StatusEvent): Static<typeof StatusNotice> {
  return { orderID, status, at: isoTime(atMs), isFinal }
}

/**
 * Returns the total in major units, or in minor units for an unknown currency. Another producer or
 * a later version of this service may have written such a currency.
 */
function totalOf(totalMinor: number, currency: string) {
  const decimals = knownDecimalsOf(currency)
  return decimals === undefined ? { totalMinor } : { total: toMajorUnits(totalMinor, decimals) }
}
