import { ProblemSchema, refer, refused } from '@orderly/service-kit'
import { type Static, type TSchema, Type } from 'typebox'
import { OrderLinks } from './order-schema.ts'
import { idempotencyKey, orderFields, orderRules } from './schema.ts'

export const maxBatchOrders = 500
/** The largest order is 128 KiB, but nobody sends 500 of those. */
export const maxBatchBytes = 4 * 1024 * 1024
export const ndjson = 'application/x-ndjson'

/** An order of a batch: as alone, and with its own key. */
export function batchOrder(orderCreatedVersion: number) {
  return Type.Object(
    { ...orderFields(orderCreatedVersion), idempotencyKey: Type.Optional(idempotencyKey) },
    { $id: 'BatchOrder', ...orderRules }
  )
}

/** The parts of a batch are checked one by one, so the body by itself is only a list. */
function batchOf(order: TSchema) {
  const schema = Type.Array(order, { minItems: 1, maxItems: maxBatchOrders })
  return { content: { 'application/json': { schema }, [ndjson]: { schema } } }
}

/** For the document. */
export const batchBody = batchOf(Type.Unsafe<BatchOrder>({ $ref: 'BatchOrder#' }))

export type BatchOrder = Static<ReturnType<typeof batchOrder>>

export const BatchResult = Type.Object(
  {
    index: Type.Integer({ description: 'Which order of the batch, from 0 on.' }),
    status: Type.Integer({ description: 'What `POST /orders` would have answered.', examples: [202] }),
    orderID: Type.Optional(Type.String({ format: 'uuid' })),
    links: Type.Optional(refer(OrderLinks)),
    problem: Type.Optional(refer(ProblemSchema))
  },
  { $id: 'BatchResult' }
)

export const placeBatch = {
  operationId: 'placeOrders',
  summary: 'Place many orders',
  description: `Up to ${maxBatchOrders} orders in one request, as a JSON array or one on each line (NDJSON). Each is accepted or refused by itself, as \`POST /orders\` would; one that is refused does not keep the others back. Nothing is promised about their sequence.`,
  tags: ['orders'],
  body: batchOf(Type.Unsafe<BatchOrder>({})),
  response: {
    200: {
      description: 'The result of each order, in the sequence of the orders.',
      content: {
        'application/json': { schema: Type.Object({ results: Type.Array(refer(BatchResult)) }) }
      }
    },
    400: refused('The body is no batch; no order was looked at.'),
    413: refused('The body is larger than 4 MiB; no order was looked at.'),
    415: refused(`The body is neither application/json nor ${ndjson}; no order was looked at.`),
    500: refused('Our fault.')
  }
}
