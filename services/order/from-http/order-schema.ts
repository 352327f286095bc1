import { isoTime } from '@orderly/contracts'
import { printable, refer, refused, retryAfter, serviceUnavailable } from '@orderly/service-kit'
import { type Static, Type } from 'typebox'
import { knownDecimalsOf } from '../domain/currency.ts'
import { toMajorUnits } from '../domain/money.ts'
import { type Order, orderStatuses, type StatusEvent, statusEvents, statusOf } from '../domain/order-status.ts'
import { maxCursorLength } from './cursor.ts'

/** What can be asked about orders, and what is answered: validation, types and the OpenAPI document. */

const orderID = Type.String({
  description: 'the id that the answer to `POST /orders` gave: 1 to 64 printable characters',
  minLength: 1,
  maxLength: 64,
  pattern: printable
})

export const orderStatus = Type.Enum([...orderStatuses], {
  description:
    '`accepted`, until its stock is `reserved` or it has `failed` because stock was short. With a hold it is `confirmed`, or has `expired`. Until it has failed or expired it may be `cancelled`.'
})

const timestamp = (description: string) => Type.String({ description, format: 'date-time' })

export const OrderLinks = Type.Object(
  {
    self: Type.String({ description: 'Where to ask for the order.', format: 'uri-reference' }),
    events: Type.String({
      description: 'Where to be told of its status as it changes (server-sent events).',
      format: 'uri-reference'
    })
  },
  { $id: 'OrderLinks' }
)

export const OrderResource = Type.Object(
  {
    orderID: Type.String({ format: 'uuid' }),
    userID: Type.String(),
    caller: Type.Optional(
      Type.String({ description: 'Who placed it, where callers have API keys.', examples: ['berlin'] })
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
    holdSeconds: Type.Optional(Type.Integer({ description: 'For how long its stock is held for a confirmation.' })),
    acceptedAt: timestamp('When the order was accepted.'),
    decidedAt: Type.Optional(timestamp('When its stock was reserved or found to be short.')),
    holdUntil: Type.Optional(timestamp('From then on it may expire unless it is confirmed.')),
    confirmedAt: Type.Optional(timestamp('When it was confirmed.')),
    cancelledAt: Type.Optional(timestamp('When it was cancelled.')),
    expiredAt: Type.Optional(timestamp('When its stock was given back because nobody had confirmed it.')),
    reason: Type.Optional(
      Type.String({
        description:
          'Why it failed: `UNKNOWN_SKU` when a SKU is not kept in stock, `HOLD_TOO_LONG` or `HELD_QUANTITY_EXCEEDED` for a limit on holds, otherwise `OUT_OF_STOCK`. Accept other reasons.',
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
            description: '`OUT_OF_STOCK` or `UNKNOWN_SKU`. Accept other reasons.',
            examples: ['OUT_OF_STOCK', 'UNKNOWN_SKU']
          })
        }),
        { description: 'The SKUs that could not be reserved, when it failed.' }
      )
    ),
    traceID: Type.Optional(Type.String({ description: 'Of the trace that goes with the order (W3C trace context).' })),
    links: refer(OrderLinks)
  },
  { $id: 'Order', description: 'An order and what became of it.' }
)

export const OrderPage = Type.Object(
  {
    orders: Type.Array(refer(OrderResource)),
    nextCursor: Type.Optional(Type.String({ description: 'Asks for the page behind this one; absent on the last.' }))
  },
  { $id: 'OrderPage' }
)

const StatusNotice = Type.Object(
  {
    orderID: Type.String({ format: 'uuid' }),
    status: orderStatus,
    at: timestamp('When it became so.'),
    isFinal: Type.Boolean({
      description:
        'Whether it stays so whatever anybody does. What is `reserved` or `confirmed` may still be cancelled, hence is not final.'
    })
  },
  { $id: 'StatusNotice', description: 'The data of an event in the stream of an order.' }
)

/** One event, as the fields that a stream of them has (OpenAPI 3.2 says so of event streams; 3.1 says nothing). */
const StatusStreamEvent = Type.Object(
  {
    id: Type.String({ description: 'To come again with, as `Last-Event-ID`.' }),
    event: Type.Literal('status'),
    data: Type.String({ contentMediaType: 'application/json', contentSchema: refer(StatusNotice) })
  },
  { $id: 'StatusStreamEvent', description: 'An event in the stream of an order.' }
)

export const querySchemas = [OrderLinks, OrderResource, OrderPage, StatusNotice, StatusStreamEvent]

export const unknownOrder = refused(
  'No such order. One that was accepted this moment, or within an hour while Kafka was away, may not be known yet: then `Retry-After` is there.',
  retryAfter
)

export const orderParams = Type.Object({ orderID })

export const getOrder = {
  operationId: 'getOrder',
  summary: 'Ask for an order',
  description: 'The order and its status. An order that was accepted this moment is waited for, two seconds at most.',
  tags: ['orders'],
  params: orderParams,
  response: {
    200: { description: 'The order.', content: { 'application/json': { schema: refer(OrderResource) } } },
    400: refused('The request is wrong.'),
    404: unknownOrder,
    500: refused('Our fault.'),
    503: serviceUnavailable('The status of orders cannot be read at the moment.')
  }
}

export const listOrders = {
  operationId: 'listOrders',
  summary: "Ask for a user's orders",
  description:
    'The newest first. Orders that are placed meanwhile neither repeat nor hide others on later pages. One that was accepted this moment may not be listed yet; by its id it is found at once.',
  tags: ['orders'],
  querystring: Type.Object(
    {
      userID: Type.String({
        description: 'whose orders: 1 to 128 printable characters',
        minLength: 1,
        maxLength: 128,
        pattern: printable
      }),
      limit: Type.Optional(
        Type.String({
          description: 'how many orders on a page: 1 to 100, 20 when it is missing',
          pattern: '^([1-9][0-9]?|100)$'
        })
      ),
      cursor: Type.Optional(
        Type.String({
          description: '`nextCursor` of the page before, as it is.',
          minLength: 1,
          maxLength: maxCursorLength
        })
      )
    },
    { additionalProperties: false }
  ),
  response: {
    200: { description: 'One page.', content: { 'application/json': { schema: refer(OrderPage) } } },
    400: refused('The request is wrong, or the cursor is none of this user.'),
    500: refused('Our fault.'),
    503: serviceUnavailable('The status of orders cannot be read at the moment.')
  }
}

export const streamOrder = {
  operationId: 'streamOrder',
  summary: 'Be told of the status as it changes',
  description:
    'Server-sent events: one of type `status` for each status up to now and from then on, with a StatusNotice as its data. By default the stream ends behind the last status that comes without anybody asking for it, which is the outcome for whoever waits for that: an order that is reserved for a while goes on to `confirmed` or `expired`; one that is reserved for good, or confirmed, can still be cancelled, so its last event is not `isFinal`. With `until=final` the stream goes on until nothing can change any more. Who comes again with `Last-Event-ID`, as browsers do by themselves, is told what came after it.',
  tags: ['orders'],
  params: orderParams,
  querystring: Type.Object(
    {
      until: Type.Optional(
        Type.Enum(['settled', 'final'], {
          description:
            'When to end: as soon as the status stays as it is unless somebody cancels the order (`settled`, the default), or whatever anybody does (`final`).'
        })
      )
    },
    { additionalProperties: false }
  ),
  headers: Type.Object({
    'last-event-id': Type.Optional(Type.String({ description: 'The id of the last event that arrived.' }))
  }),
  response: {
    200: {
      description: 'The stream.',
      content: { 'text/event-stream': { schema: refer(StatusStreamEvent) } }
    },
    204: { description: 'The last event that arrived was the last that is asked for: there is no need to come again.' },
    400: refused('The request is wrong.'),
    404: unknownOrder,
    500: refused('Our fault.'),
    503: serviceUnavailable('The status of orders cannot be read at the moment, or too many streams are open.')
  }
}

export function linksTo(orderID: string): Static<typeof OrderLinks> {
  const self = `/orders/${encodeURIComponent(orderID)}`
  return { self, events: `${self}/events` }
}

export function toResource(order: Order): Static<typeof OrderResource> {
  const { orderID, userID, created, decided } = order
  const { items, totalMinor, currency, acceptedAtMs, holdSeconds, traceID, caller } = created
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
    ...(holdSeconds !== undefined && { holdSeconds }),
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

/** Another producer, or a later version of this service, may have written a currency that this one does not know. */
function totalOf(totalMinor: number, currency: string) {
  const decimals = knownDecimalsOf(currency)
  return decimals === undefined ? { totalMinor } : { total: toMajorUnits(totalMinor, decimals) }
}
