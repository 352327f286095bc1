import { refer, refused, retryAfter, serviceUnavailable } from '@orderly/service-kit'
import { Type } from 'typebox'
import type { ChangeKind } from '../domain/change-request.ts'
import { OrderResource, orderParams, orderStatus, unknownOrder } from './order-schema.ts'
import { idempotencyKeyHeader, OrderLinks } from './schema.ts'

/** Schemas of cancel and confirm: the source of validation, types and the OpenAPI document. */

export const ChangeAccepted = Type.Object(
  {
    orderID: Type.String({ format: 'uuid' }),
    changeRequestID: Type.String({
      description: 'Id of the change request. It is the same for all attempts with one idempotency key.',
      format: 'uuid'
    }),
    status: orderStatus,
    links: refer(OrderLinks)
  },
  { $id: 'ChangeAccepted', description: 'The order at the time of the change request.' }
)

export const cancelOrder = changeRequestSchema('cancel', {
  operationId: 'cancelOrder',
  summary: 'Cancel an order',
  description:
    'Releases the stock of the order. Repeated requests have no further effect. A pending order gets no stock; if its outcome is being decided at the same time, the stock is released afterwards. Needs no body.',
  fulfilled: 'The order is cancelled.',
  refused: 'The order has failed or expired. No stock is reserved for it.'
})

export const confirmOrder = changeRequestSchema('confirm', {
  operationId: 'confirmOrder',
  summary: 'Confirm an order with a hold',
  description:
    'Keeps the stock of the order reserved beyond the end of its hold. Waits up to two seconds for the outcome of an order that was just accepted. Needs no body.',
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

function changeRequestSchema(changeRequest: ChangeKind, { fulfilled, refused: refusal, ...operation }: Texts) {
  const headers = {
    traceparent: { type: 'string', description: 'W3C trace context of this request.' },
    'idempotent-replayed': {
      type: 'string',
      description: '`true` if an earlier request had the same idempotency key.'
    },
    'preference-applied': { type: 'string', description: 'The wait preference that was applied.' }
  }
  return {
    ...operation,
    tags: ['orders'],
    params: orderParams,
    headers: Type.Object({
      traceparent: Type.Optional(Type.String({ description: 'W3C trace context to continue.' })),
      'idempotency-key': Type.Optional(idempotencyKeyHeader),
      prefer: Type.Optional(
        Type.String({
          description: '`wait=5` waits up to 5 seconds for the result (RFC 7240); the maximum is 30.',
          examples: ['wait=5']
        })
      )
    }),
    response: {
      200: { description: fulfilled, headers, content: { 'application/json': { schema: refer(OrderResource) } } },
      202: {
        description: `The request to ${changeRequest} the order was accepted. It takes effect unless a conflicting change is decided first.`,
        headers,
        content: { 'application/json': { schema: refer(ChangeAccepted) } }
      },
      400: refused('The request is invalid.'),
      404: unknownOrder,
      409: refused(refusal, retryAfter),
      415: refused('`Content-Type` is not a valid media type.'),
      422: refused('The idempotency key belongs to another request.'),
      500: refused('Internal error.'),
      503: serviceUnavailable('The change cannot be requested at the moment. It is safe to try again.')
    }
  }
}
