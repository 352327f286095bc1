import { ProblemSchema, refer, refused } from '@orderly/service-kit'
import { type Static, type TSchema, Type } from 'typebox'
import { idempotencyKey, OrderLinks, orderFields, orderRules } from './schema.ts'

export const maxBatchOrders = 500
/** Maximum size of a batch. No caller sends 500 orders of the maximum size (128 KiB). */
export const maxBatchBytes = 4 * 1024 * 1024
export const ndjson = 'application/x-ndjson'

/**
 * Returns the schema of an order in a batch: the fields of a single order and an `idempotencyKey`.
 */
export function batchOrder(orderCreatedVersion: number) {
  return Type.Object(
    { ...orderFields(orderCreatedVersion), idempotencyKey: Type.Optional(idempotencyKey) },
    { $id: 'BatchOrder', ...orderRules }
  )
}

const limits = { minItems: 1, maxItems: maxBatchOrders }

/**
 * Returns the schema that validates a batch body, which the parser returns as a list for both
 * content types.
 */
function batchOf(order: TSchema) {
  const schema = Type.Array(order, limits)
  return { content: { 'application/json': { schema }, [ndjson]: { schema } } }
}

const exampleOrders = ['user-17', 'user-18'].map(userID => ({
  userID,
  items: [{ sku: 'TEA-EARL-GREY-100G', quantity: 2 }],
  total: 25.5
}))

/**
 * Body in the OpenAPI document. Requests are validated as a list of anything, then order by order.
 */
export const batchBody = {
  content: {
    'application/json': {
      schema: Type.Array(Type.Unsafe<BatchOrder>({ $ref: 'BatchOrder#' }), { ...limits, examples: [exampleOrders] })
    },
    [ndjson]: {
      schema: Type.String({
        description: 'One order per line.',
        examples: [exampleOrders.map(order => `${JSON.stringify(order)}\n`).join('')]
      })
    }
  }
}

export type BatchOrder = Static<ReturnType<typeof batchOrder>>

export const BatchResult = Type.Object(
  {
    index: Type.Integer({ description: 'Index of the order in the batch, starting at 0.' }),
    status: Type.Integer({ description: 'Status code that `POST /orders` would return.', examples: [202] }),
    orderID: Type.Optional(Type.String({ format: 'uuid' })),
    links: Type.Optional(refer(OrderLinks)),
    problem: Type.Optional(refer(ProblemSchema))
  },
  { $id: 'BatchResult' }
)

export const placeBatch = {
  operationId: 'placeOrders',
  summary: 'Place many orders',
  description: `Places up to ${maxBatchOrders} orders, sent as a JSON array or as NDJSON with one order per line. Each order is accepted or refused separately, as by \`POST /orders\`. A refused order does not affect the others. The orders may be placed in any order.`,
  tags: ['orders'],
  body: batchOf(Type.Unsafe<BatchOrder>({})),
  response: {
    200: {
      description: 'One result per order, in the order of the request.',
      content: {
        'application/json': { schema: Type.Object({ results: Type.Array(refer(BatchResult)) }) }
      }
    },
    400: refused('The body is not a valid batch; no order was processed.'),
    413: refused('The body is larger than 4 MiB; no order was processed.'),
    415: refused(`The body is neither application/json nor ${ndjson}; no order was processed.`),
    500: refused('Internal error.')
  }
}
