import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import { ProblemError } from '@orderly/service-kit'
import type { FastifyInstance } from 'fastify'
import type { StockCount } from '../domain/set-stock.ts'
import { formatStock, parseStock, type StockColumn, StockFileError } from '../from-stock-file/read-stock-file.ts'
import type { AdjustmentResult, SetResult, StockKeeping } from '../store/stock-keeping.ts'
import type { StockLevel } from '../store/stock-store.ts'
import { keysOwner, operatorOf } from './operator.ts'
import {
  adjustLevel,
  isSKU,
  listLevels,
  listMovements,
  type ManyLevels,
  mostPieces,
  readLevel,
  setLevel,
  setLevels,
  sharedSchemas
} from './schema.ts'

/** A hundred thousand SKUs of the usual length. */
const maxFileBytes = 4 * 1024 * 1024
const pageOfFile = 5_000

const operators = { access: ['operator'] } as const
const everyCaller = { access: ['shop', 'operator'] } as const

export function addStockRoutes(http: FastifyInstance, stock: StockKeeping): void {
  for (const schema of sharedSchemas) http.addSchema(schema)
  const routes = http.withTypeProvider<TypeBoxTypeProvider>()

  routes.get('/stock/:sku', { schema: readLevel, config: everyCaller }, async ({ params, caller }) => {
    const level = await stock.level(params.sku)
    if (level === undefined) throw unknownSKU()
    // What others have reserved is not a shop's business.
    return caller?.role === 'shop' ? { sku: level.sku, available: level.available } : toAnswer(level)
  })

  routes.put('/stock/:sku', { schema: setLevel, config: operators }, async request => {
    const { sku } = request.params
    const { reason, ...count } = request.body
    const result = await stock.set(new Map([[sku, count as StockCount]]), { by: operatorOf(request), reason })
    return toAnswer(levelsOf(result)[0] as StockLevel)
  })

  routes.post('/stock/:sku/adjustments', { schema: adjustLevel, config: operators }, async (request, reply) => {
    const { sku } = request.params
    const { delta, reason } = request.body
    const key = { caller: keysOwner(request), key: request.headers['idempotency-key'] }
    const result = await stock.adjust({ sku, delta, key }, { by: operatorOf(request), reason })
    if (result.kind !== 'adjusted') throw refusalOf(result, delta)
    if (result.isReplay) reply.header('idempotent-replayed', 'true')
    return toAnswer(result.level)
  })

  http.addContentTypeParser('text/csv', { parseAs: 'string' }, (_request, body, done) => done(null, body))

  routes.put('/stock', { schema: setLevels, config: operators, bodyLimit: maxFileBytes }, async request => {
    const body = request.body as ManyLevels | string
    const counts =
      typeof body === 'string'
        ? parseFile(body)
        : new Map(body.items.map(({ sku, ...count }) => [sku, count as StockCount]))
    const { reason = typeof body === 'string' ? undefined : body.reason } = request.query
    const result = await stock.set(counts, { by: operatorOf(request), reason })
    return { count: levelsOf(result).length }
  })

  routes.get('/stock', { schema: listLevels, config: operators }, async (request, reply) => {
    const { after = '', limit = '1000', column = 'available' } = request.query
    if (request.headers.accept?.includes('text/csv') === true) {
      return reply
        .type('text/csv; charset=utf-8')
        .serializer(String)
        .send(await wholeFile(after, column))
    }
    const items = await stock.page({ after, limit: Number(limit) })
    const last = items.at(-1)
    return {
      items: items.map(toAnswer),
      ...(last !== undefined && items.length === Number(limit) && { nextAfter: last.sku })
    }
  })

  async function wholeFile(after: string, column: StockColumn): Promise<string> {
    const pieces = new Map<string, number>()
    for (let last: string | undefined = after; last !== undefined; ) {
      const page = await stock.page({ after: last, limit: pageOfFile })
      for (const level of page) pieces.set(level.sku, toAnswer(level)[column])
      last = page.length === pageOfFile ? page.at(-1)?.sku : undefined
    }
    return formatStock(column, pieces)
  }

  routes.get(
    '/stock/:sku/movements',
    { schema: listMovements, config: operators },
    async ({ params: { sku }, query }) => {
      const before = Number(query.before ?? Number.MAX_SAFE_INTEGER)
      const movements = await stock.movements(sku, { before, limit: Number(query.limit ?? 100) })
      return { items: movements.map(({ movedAtMs, ...own }) => ({ ...own, at: new Date(movedAtMs).toISOString() })) }
    }
  )
}

/** @throws ProblemError that names the line */
function parseFile(text: string): ReadonlyMap<string, StockCount> {
  const refuse = (detail: string): never => {
    throw new ProblemError(400, 'STOCK_FILE_INVALID', `${detail}; nothing was changed.`)
  }
  let counts: ReadonlyMap<string, StockCount> = new Map()
  try {
    counts = parseStock(text, 'csv')
  } catch (error) {
    if (!(error instanceof StockFileError)) throw error
    refuse(error.message)
  }
  if (counts.size === 0) refuse('The file has no SKUs in it')
  for (const [sku, count] of counts) {
    const pieces = 'onHand' in count ? count.onHand : count.available
    if (!isSKU(sku))
      refuse(`${JSON.stringify(sku)} is no SKU: 1 to 64 printable characters in UTF-8 without white space around them`)
    if (pieces > mostPieces) refuse(`${pieces} pieces of ${sku} are more than ${mostPieces}`)
  }
  return counts
}

function toAnswer({ sku, available, reserved }: StockLevel) {
  return { sku, available, reserved, onHand: available + reserved }
}

const mostNamed = 10

/** @throws ProblemError 409 when SKUs were counted below their reserved pieces */
function levelsOf({ kind, levels }: SetResult): readonly StockLevel[] {
  if (kind === 'set') return levels
  const named = levels.slice(0, mostNamed).map(({ sku, reserved }) => `${sku} (${reserved} reserved)`)
  const more = levels.length > mostNamed ? ` and ${levels.length - mostNamed} more SKUs` : ''
  throw new ProblemError(
    409,
    'STOCK_BELOW_RESERVED',
    `\`onHand\` must not be less than the pieces reserved for orders: ${named.join(', ')}${more}; nothing was changed. ` +
      'Count again, or cancel orders first.'
  )
}

function unknownSKU(): ProblemError {
  return new ProblemError(404, 'SKU_UNKNOWN', 'There is no such SKU. PUT its stock to add it.')
}

function refusalOf(result: Exclude<AdjustmentResult, { kind: 'adjusted' }>, delta: number): ProblemError {
  if (result.kind === 'unknown-sku') return unknownSKU()
  if (result.kind === 'other-body') {
    const detail = 'This idempotency key belongs to another adjustment. Use a key of its own for each.'
    return new ProblemError(422, 'IDEMPOTENCY_KEY_REUSED', detail)
  }
  const { available } = result
  return result.kind === 'too-few'
    ? new ProblemError(
        409,
        'STOCK_TOO_LOW',
        `Only ${available} are available, ${-delta} cannot be taken out; nothing was changed.`
      )
    : new ProblemError(
        409,
        'STOCK_TOO_HIGH',
        `${available} are available; with ${delta} more they could not be counted exactly.`
      )
}
