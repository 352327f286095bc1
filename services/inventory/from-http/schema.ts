import {
  idempotencyKeyForm,
  idempotencyKeyPattern,
  printable,
  refer,
  refused,
  serviceUnavailable
} from '@orderly/service-kit'
import { type Static, type TSchema, Type } from 'typebox'

/** The single source of what the stock routes take and answer: validation, types and the OpenAPI document. */

const sku = Type.String({
  description: '1 to 64 printable characters without white space around them',
  minLength: 1,
  maxLength: 64,
  pattern: printable,
  examples: ['TEA-EARL-GREY-100G']
})
const most = 1_000_000_000_000
const available = Type.Integer({
  description: 'Pieces that can be reserved.',
  minimum: 0,
  maximum: most,
  examples: [500]
})
const onHand = Type.Integer({
  description: 'Pieces on the shelf, those of reserved orders included: what a count of the shelf gives.',
  minimum: 0,
  maximum: most,
  examples: [500]
})
/** How the stock of a SKU is stated. */
const count = { available: Type.Optional(available), onHand: Type.Optional(onHand) }
const onlyOneCount = { additionalProperties: false, 'x-exactly-one-of': Object.keys(count) }
const reason = Type.Optional(
  Type.String({
    description: 'why it is done: 1 to 500 printable characters without white space around them',
    minLength: 1,
    maxLength: 500,
    pattern: printable,
    examples: ['delivery 4711']
  })
)

const Level = Type.Object(
  {
    sku,
    available: Type.Integer({ description: 'Pieces that can still be reserved.' }),
    reserved: Type.Optional(Type.Integer({ description: 'Pieces that belong to reserved orders. Hidden from shops.' })),
    onHand: Type.Optional(
      Type.Integer({ description: 'Pieces on the shelf: `available` + `reserved`. Hidden from shops.' })
    )
  },
  { $id: 'StockLevel' }
)

const Movement = Type.Object(
  {
    id: Type.Integer({ description: 'Rises with every movement.' }),
    sku,
    kind: Type.Enum(['opening', 'seed', 'set', 'adjust', 'count']),
    delta: Type.Integer({
      description: 'Pieces put in; negative: taken out. Of a SKU they add up to available + reserved.'
    }),
    available: Type.Integer({ description: 'Available pieces behind the movement.' }),
    reserved: Type.Integer({ description: 'Reserved pieces then.' }),
    by: Type.String({ description: 'Who did it.' }),
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
        'who does this, for the movements: 1 to 100 printable ASCII characters. Where callers have API keys the name of the caller counts instead.',
      pattern: '^[\\x20-\\x7e]{1,100}$'
    })
  )
}
const params = Type.Object({ sku })
const limit = (maximum: number, otherwise: number) =>
  Type.Optional(
    Type.String({
      description: `how many at most: 1 to ${maximum}, ${otherwise} when it is missing`,
      pattern: '^[1-9][0-9]{0,3}$'
    })
  )
const tags = ['stock']
const levelAnswer = answered('The SKU as it is then.', refer(Level))
const common = {
  400: refused('Something is wrong with the request; nothing was done. Every field that is wrong is named.'),
  500: refused('Our fault.'),
  503: serviceUnavailable('Cannot be done at the moment. Try again.')
}
const withBody = {
  ...common,
  413: refused('The body is too large; nothing was done.'),
  415: refused('The body is of another type than is documented; nothing was done.')
}
const belowReserved = refused('Fewer pieces on hand than reserved orders need; nothing was changed.')
const unknown = { 404: refused('The SKU is not known.') }

export const readLevel = {
  operationId: 'readStock',
  summary: 'What there is of a SKU',
  description: 'A shop is told what is available; an operator what is reserved, too.',
  tags,
  params,
  response: { 200: levelAnswer, ...unknown, ...common }
}

export const setLevel = {
  operationId: 'setStock',
  summary: 'Set the stock of a SKU',
  description:
    'Of a new SKU as well as of a known one. Send exactly one of `onHand` and `available`. After a count of the shelf send `onHand`: the pieces of reserved orders are among the counted ones, so `available` becomes `onHand` − `reserved`. Reserved pieces stay reserved. The difference is a movement.',
  tags,
  params,
  headers: Type.Object(operator),
  body: Type.Object({ ...count, reason }, onlyOneCount),
  response: { 200: levelAnswer, 409: belowReserved, ...withBody }
}

export const adjustLevel = {
  operationId: 'adjustStock',
  summary: 'Put pieces of a SKU in, or take them out',
  description:
    'Once for each idempotency key, however often it is asked for: the same key with the same adjustment is answered the same, also much later. What was refused may be asked for again with its key.',
  tags,
  params,
  headers: Type.Object({
    'idempotency-key': Type.String({
      description: idempotencyKeyForm,
      pattern: idempotencyKeyPattern
    }),
    ...operator
  }),
  body: Type.Object(
    {
      delta: Type.Integer({
        description: 'Pieces to put in; negative: to take out.',
        minimum: -most,
        maximum: most,
        examples: [-3]
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
          description: '`true` when an earlier request with this key did it; the SKU is given as it was then.'
        }
      }
    },
    ...unknown,
    409: refused('There are not as many pieces to take out, or there would be too many to count; nothing was changed.'),
    422: refused('The idempotency key belongs to another adjustment; nothing was changed.'),
    ...withBody
  }
}

export const ManyLevelsItem = Type.Object({ sku, ...count }, { $id: 'StockItem', ...onlyOneCount })
export const sharedSchemas = [Level, Movement, ManyLevelsItem]

function manyLevels<Item extends TSchema>(item: Item) {
  const items = Type.Array(item, { minItems: 1, maxItems: 10_000, 'x-unique-by': 'sku' })
  return Type.Object({ items, reason }, { additionalProperties: false })
}

/** Schema of a body without its items, which are checked one by one. */
const manyUnchecked = manyLevels(Type.Unsafe<unknown>({}))
export type ManyLevels = Static<typeof manyUnchecked>

/** For SKUs that come in a CSV file, which no schema looks at. */
export const isSKU = (text: string): boolean => text.length <= 64 && new RegExp(printable, 'u').test(text)
export const mostPieces = most

const csv = {
  'text/csv': {
    schema: Type.String({
      description: 'Lines of `sku,onHand` or of `sku,available`, below a header with these names.'
    })
  }
}

/** For the document. */
export const manyLevelsBody = { content: { 'application/json': { schema: manyLevels(refer(ManyLevelsItem)) }, ...csv } }

export const setLevels = {
  operationId: 'setStockOfMany',
  summary: 'Set the stock of many SKUs',
  description:
    'As JSON or as a CSV file; each SKU with `onHand` or `available`, as for one SKU. All of them or, when one is wrong, none.',
  tags,
  headers: Type.Object(operator),
  querystring: Type.Object({ reason }, { additionalProperties: false }),
  body: { content: { 'application/json': { schema: manyUnchecked }, 'text/csv': { schema: Type.Unsafe<Buffer>({}) } } },
  response: {
    200: answered('How many SKUs were set.', Type.Object({ count: Type.Integer() })),
    409: belowReserved,
    ...withBody
  }
}

export const listLevels = {
  operationId: 'listStock',
  summary: 'All SKUs, by name',
  description: 'In pages as JSON, whole as a CSV file that can be put in again.',
  tags,
  querystring: Type.Object(
    {
      after: Type.Optional(
        Type.String({ description: 'the SKU behind which to go on', maxLength: 64, pattern: '^[^\\p{Cc}\\p{Cs}]*$' })
      ),
      limit: limit(9_999, 1_000),
      column: Type.Optional(
        Type.Enum(['available', 'onHand'], { description: 'the column of a CSV file; `available` when it is missing' })
      )
    },
    { additionalProperties: false }
  ),
  response: {
    200: {
      description:
        'A page; `nextAfter` is there when more may follow. Who accepts `text/csv` gets all from `after` on, as it can be put.',
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
  summary: 'Who put pieces of a SKU in or took them out, when and why',
  description: 'The newest first. What orders reserve and give back are no movements.',
  tags,
  params,
  querystring: Type.Object(
    {
      before: Type.Optional(
        Type.String({ description: 'the id of the movement before which to go on', pattern: '^[1-9][0-9]{0,14}$' })
      ),
      limit: limit(9_999, 100)
    },
    { additionalProperties: false }
  ),
  response: {
    200: answered(
      'A page, empty for a SKU of which nothing is known.',
      Type.Object({ items: Type.Array(refer(Movement)) })
    ),
    ...common
  }
}
