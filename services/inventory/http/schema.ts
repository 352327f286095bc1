import {
  idempotencyKeyForm,
  idempotencyKeyPattern,
  printable,
  refer,
  refused,
  serviceUnavailable
} from '@orderly/service-kit'
import { type Static, type TSchema, Type } from 'typebox'

/** Schemas of the stock routes, from which validation, types and the OpenAPI document derive. */

const sku = Type.String({
  description: '1 to 64 printable characters without white space around them',
  minLength: 1,
  maxLength: 64,
  pattern: printable,
  examples: ['TEA-EARL-GREY-100G']
})
const most = 1_000_000_000_000
const available = Type.Integer({
  description: 'Pieces that orders can reserve.',
  minimum: 0,
  maximum: most,
  examples: [500]
})
const onHand = Type.Integer({
  description: 'Pieces on the shelf, including those of reserved orders.',
  minimum: 0,
  maximum: most,
  examples: [500]
})
/** The two ways to set the stock of a SKU. */
const count = { available: Type.Optional(available), onHand: Type.Optional(onHand) }
const onlyOneCount = { additionalProperties: false, 'x-exactly-one-of': Object.keys(count) }
const reason = Type.Optional(
  Type.String({
    description: '1 to 500 printable characters without white space around them: the reason for the change',
    minLength: 1,
    maxLength: 500,
    pattern: printable,
    examples: ['delivery 4711']
  })
)

const Level = Type.Object(
  {
    sku,
    available: Type.Integer({ description: 'Pieces that orders can reserve.' }),
    reserved: Type.Optional(Type.Integer({ description: 'Pieces assigned to orders. Hidden from shops.' })),
    onHand: Type.Optional(
      Type.Integer({ description: 'Pieces on the shelf: `available` plus `reserved`. Hidden from shops.' })
    )
  },
  { $id: 'StockLevel' }
)

const Movement = Type.Object(
  {
    id: Type.Integer({ description: 'Increases with every movement.' }),
    sku,
    kind: Type.Enum(['opening', 'seed', 'set', 'adjust', 'count']),
    delta: Type.Integer({
      description:
        'Pieces added; negative if removed. The sum over all movements of a SKU is `available` plus `reserved`.'
    }),
    available: Type.Integer({ description: 'Available pieces after the movement.' }),
    reserved: Type.Integer({ description: 'Reserved pieces at the time of the movement.' }),
    by: Type.String({ description: 'Caller or operator that made the change.' }),
    reason: Type.Union([Type.String(), Type.Null()]),
    at: Type.String({ format: 'date-time' }),
    idempotencyKey: Type.Union([Type.String(), Type.Null()])
  },
  { $id: 'StockMovement' }
)

function answered(description: string, schema: TSchema) {
  return { description, content: { 'application/json': { schema } } }
}

const operator = {
  'x-operator': Type.Optional(
    Type.String({
      description:
        '1 to 100 printable ASCII characters: the operator to record with the movement. Ignored if API keys are required: the name of the caller is recorded instead.',
      pattern: '^[\\x20-\\x7e]{1,100}$'
    })
  )
}
const params = Type.Object({ sku })
const limit = (maximum: number, otherwise: number) =>
  Type.Optional(
    Type.String({
      description: `1 to ${maximum}, default ${otherwise}`,
      pattern: '^[1-9][0-9]{0,3}$'
    })
  )
const tags = ['stock']
const levelAnswer = answered('The resulting stock of the SKU.', refer(Level))
const common = {
  400: refused('The request is invalid; nothing was changed. `errors` names every invalid field.'),
  500: refused('Internal server error.'),
  503: serviceUnavailable('Temporarily unavailable. Retry after the given time.')
}
const withBody = {
  ...common,
  413: refused('The body is too large; nothing was changed.'),
  415: refused('The media type of the body is not supported; nothing was changed.')
}
const belowReserved = refused('`onHand` is below the pieces reserved for orders; nothing was changed.')
const unknown = { 404: refused('The SKU does not exist.') }

export const readLevel = {
  operationId: 'readStock',
  summary: 'Get the stock of a SKU',
  description: 'A shop gets the available pieces only; the other roles also get `reserved` and `onHand`.',
  tags,
  params,
  response: { 200: levelAnswer, ...unknown, ...common }
}

export const setLevel = {
  operationId: 'setStock',
  summary: 'Set the stock of a SKU',
  description:
    'Creates the SKU if it does not exist. Send exactly one of `onHand` and `available`. Send `onHand` after a count of the shelf: it includes the pieces of reserved orders, so `available` becomes `onHand` − `reserved`. Reserved pieces stay reserved. The difference is recorded as a movement.',
  tags,
  params,
  headers: Type.Object(operator),
  body: Type.Object({ ...count, reason }, { ...onlyOneCount, examples: [{ onHand: 500, reason: 'yearly count' }] }),
  response: { 200: levelAnswer, 409: belowReserved, ...withBody }
}

export const adjustLevel = {
  operationId: 'adjustStock',
  summary: 'Add or remove pieces of a SKU',
  description:
    'Applied once per idempotency key. A repeated request with the same key and adjustment gets the same response, without a time limit. A refused adjustment can be retried with its key.',
  tags,
  params,
  headers: Type.Object({
    'idempotency-key': Type.String({
      description: idempotencyKeyForm,
      pattern: idempotencyKeyPattern,
      examples: ['delivery-4711']
    }),
    ...operator
  }),
  body: Type.Object(
    {
      delta: Type.Integer({
        description: 'Pieces to add; negative to remove.',
        minimum: -most,
        maximum: most,
        examples: [3]
      }),
      reason
    },
    { additionalProperties: false }
  ),
  response: {
    200: {
      ...levelAnswer,
      headers: {
        'idempotent-replayed': {
          type: 'string',
          description:
            '`true` if an earlier request with this key made the adjustment; the response shows the stock after that request.'
        }
      }
    },
    ...unknown,
    409: refused(
      'Fewer pieces are available than the adjustment removes, or the result would be too large; nothing was changed.'
    ),
    422: refused('The idempotency key belongs to another adjustment; nothing was changed.'),
    ...withBody
  }
}

const exampleItem = { sku: 'TEA-EARL-GREY-100G', onHand: 500 }
export const ManyLevelsItem = Type.Object(
  { sku, ...count },
  { $id: 'StockItem', ...onlyOneCount, examples: [exampleItem] }
)
export const sharedSchemas = [Level, Movement, ManyLevelsItem]

function manyLevels<Item extends TSchema>(item: Item) {
  const items = Type.Array(item, { minItems: 1, maxItems: 10_000, 'x-unique-by': 'sku' })
  const examples = [{ items: [exampleItem], reason: 'yearly count' }]
  return Type.Object({ items, reason }, { additionalProperties: false, examples })
}

/** Schema of a body without its items, which are validated one at a time. */
const manyUnchecked = manyLevels(Type.Unsafe<unknown>({}))
export type ManyLevels = Static<typeof manyUnchecked>

/** Returns whether a text is a valid SKU, for CSV files, which no schema validates. */
export const isSKU = (text: string): boolean => text.length <= 64 && new RegExp(printable, 'u').test(text)
export const mostPieces = most

const csv = {
  'text/csv': {
    schema: Type.String({
      description: 'A header `sku,onHand` or `sku,available`, then one line per SKU.',
      examples: ['sku,onHand\nTEA-EARL-GREY-100G,500\n']
    })
  }
}

/** Body of `PUT /stock` in the OpenAPI document. */
export const manyLevelsBody = { content: { 'application/json': { schema: manyLevels(refer(ManyLevelsItem)) }, ...csv } }

export const setLevels = {
  operationId: 'setStockOfMany',
  summary: 'Set the stock of many SKUs',
  description:
    'Accepts JSON or a CSV file, with `onHand` or `available` for each SKU. Sets all SKUs, or none if one is invalid.',
  tags,
  headers: Type.Object(operator),
  querystring: Type.Object({ reason }, { additionalProperties: false }),
  body: { content: { 'application/json': { schema: manyUnchecked }, 'text/csv': { schema: Type.Unsafe<Buffer>({}) } } },
  response: {
    200: answered('The number of SKUs that were set.', Type.Object({ count: Type.Integer() })),
    409: belowReserved,
    ...withBody
  }
}

export const listLevels = {
  operationId: 'listStock',
  summary: 'List the stock of all SKUs',
  description: 'Returns JSON in pages sorted by SKU, or one CSV file that `PUT /stock` accepts.',
  tags,
  querystring: Type.Object(
    {
      after: Type.Optional(
        Type.String({
          description: 'the SKU after which the page begins',
          maxLength: 64,
          pattern: '^[^\\x00-\\x1f\\x7f-\\x9f\\ud800-\\udfff]*$'
        })
      ),
      limit: limit(9_999, 1_000),
      column: Type.Optional(
        Type.Enum(['available', 'onHand'], { description: 'the column of a CSV file, default `available`' })
      )
    },
    { additionalProperties: false }
  ),
  response: {
    200: {
      description:
        'A page, with `nextAfter` if more may follow. A request that accepts `text/csv` gets all SKUs after `after` in one file.',
      content: {
        'application/json': {
          schema: Type.Object({ items: Type.Array(refer(Level)), nextAfter: Type.Optional(Type.String()) })
        },
        ...csv
      }
    },
    ...common
  }
}

export const listMovements = {
  operationId: 'listStockMovements',
  summary: 'List the movements of a SKU',
  description: 'Newest first. Reservations and releases of orders are not movements.',
  tags,
  params,
  querystring: Type.Object(
    {
      before: Type.Optional(
        Type.String({
          description: 'the id of the movement before which the page begins',
          pattern: '^[1-9][0-9]{0,14}$'
        })
      ),
      limit: limit(9_999, 100)
    },
    { additionalProperties: false }
  ),
  response: {
    200: answered('A page; empty for an unknown SKU.', Type.Object({ items: Type.Array(refer(Movement)) })),
    ...common
  }
}
