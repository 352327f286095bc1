import { refer, refused, retryAfter, serviceUnavailable } from '@orderly/service-kit'
import { Type } from 'typebox'
import type { Wish } from '../domain/order-wish.ts'
import { OrderLinks, OrderResource, orderParams, orderStatus, unknownOrder } from './order-schema.ts'
import { idempotencyKeyHeader } from './schema.ts'

/** What can be wanted of an order that was placed, and what is answered: validation, types and the OpenAPI document. */

export const ChangeAccepted = Type.Object(
  {
    orderID: Type.String({ format: 'uuid' }),
    changeRequestID: Type.String({
      description: 'Id of the request to the inventory: the same for every attempt with one idempotency key.',
      format: 'uuid'
    }),
    status: orderStatus,
    links: refer(OrderLinks)
  },
  { $id: 'ChangeAccepted', description: 'The order as it was when the change was asked for.' }
)

export const cancelOrder = wishSchema('cancel', {
  operationId: 'cancelOrder',
  summary: 'Cancel an order',
  description:
    'Gives back what is reserved for the order, once, however often this is asked. An order that has no outcome yet never gets anything, unless its outcome is on its way: then it is given back. Needs no body.',
  fulfilled: 'The order is cancelled.',
  refused: 'The order has failed or expired: there is nothing to give back.'
})

export const confirmOrder = wishSchema('confirm', {
  operationId: 'confirmOrder',
  summary: 'Confirm an order with a hold',
  description:
    'The stock of the order stays reserved beyond the end of its hold. An order that was accepted this moment is waited for until it has its outcome, two seconds at most. Needs no body.',
  fulfilled: 'The order is confirmed.',
  refused:
    'The order has no hold, has failed, was cancelled, or has expired. With `Retry-After`: it has no outcome yet.'
})

interface Texts {
  readonly operationId: string
  readonly summary: string
  readonly description: string
  readonly fulfilled: string
  readonly refused: string
}

function wishSchema(wish: Wish, { fulfilled, refused: refusal, ...operation }: Texts) {
  const headers = {
    traceparent: { type: 'string', description: 'W3C trace context of this request.' },
    'idempotent-replayed': { type: 'string', description: '`true` when an earlier request had this key.' },
    'preference-applied': { type: 'string', description: 'How long was waited at most.' }
  }
  return {
    ...operation,
    tags: ['orders'],
    params: orderParams,
    headers: Type.Object({
      traceparent: Type.Optional(Type.String({ description: 'W3C trace context to go on with.' })),
      'idempotency-key': Type.Optional(idempotencyKeyHeader),
      prefer: Type.Optional(
        Type.String({
          description: '`wait=5` waits so many seconds, 30 at most, for what becomes of it (RFC 7240).',
          examples: ['wait=5']
        })
      )
    }),
    response: {
      200: { description: fulfilled, headers, content: { 'application/json': { schema: refer(OrderResource) } } },
      202: {
        description: `The inventory was asked to ${wish} the order, and will; unless something else was first.`,
        headers,
        content: { 'application/json': { schema: refer(ChangeAccepted) } }
      },
      400: refused('The request is wrong.'),
      404: unknownOrder,
      409: refused(refusal, retryAfter),
      415: refused('`Content-Type` is there and no media type.'),
      422: refused('The idempotency key belongs to another request.'),
      500: refused('Our fault.'),
      503: serviceUnavailable('It cannot be asked for at the moment; asking again does no harm.')
    }
  }
}
