import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import { ProblemError } from '@orderly/service-kit'
import type { FastifyInstance } from 'fastify'
import { formatStock, parseStock, StockFileError } from '../from-stock-file/read-stock-file.ts'
import type { AdjustmentResult, StockKeeping } from '../store/stock-keeping.ts'
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
    return caller?.role === 'shop' ? { sku: level.sku, available: level.available } : level
  })

  routes.put('/stock/:sku', { schema: setLevel, config: operators }, async request => {
    const { sku } = request.params
    const { available, reason } = request.body
    const [level] = await stock.set(new Map([[sku, available]]), { by: operatorOf(request), reason })
    return level as NonNullable<typeof level>
  })

  routes.post('/stock/:sku/adjustments', { schema: adjustLevel, config: operators }, async (request, reply) => {
    const { sku } = request.params
    const { delta, reason } = request.body
    const key = { caller: keysOwner(request), key: request.headers['idempotency-key'] }
    const result = await stock.adjust({ sku, delta, key }, { by: operatorOf(request), reason })
    if (result.kind !== 'adjusted') throw refusalOf(result, delta)
    if (result.isReplay) reply.header('idempotent-replayed', 'true')
    return result.level
  })

  http.addContentTypeParser('text/csv', { parseAs: 'string' }, (_request, body, done) => done(null, body))

  routes.put('/stock', { schema: setLevels, config: operators, bodyLimit: maxFileBytes }, async request => {
    const body = request.body as ManyLevels | string
    const pieces = typeof body === 'string' ? parseFile(body) : new Map(body.items.map(one => [one.sku, one.available]))
    const { reason = typeof body === 'string' ? undefined : body.reason } = request.query
    const levels = await stock.set(pieces, { by: operatorOf(request), reason })
    return { count: levels.length }
  })

  routes.get('/stock', { schema: listLevels, config: operators }, async (request, reply) => {
    const { after = '', limit = '1000' } = request.query
    if (request.headers.accept?.includes('text/csv') === true) {
      return reply
        .type('text/csv; charset=utf-8')
        .serializer(String)
        .send(await wholeFile(after))
    }
    const items = await stock.page({ after, limit: Number(limit) })
    const last = items.at(-1)
    return { items, ...(last !== undefined && items.length === Number(limit) && { nextAfter: last.sku }) }
  })

  async function wholeFile(after: string): Promise<string> {
    const pieces = new Map<string, number>()
    for (let last: string | undefined = after; last !== undefined; ) {
      const page = await stock.page({ after: last, limit: pageOfFile })
      for (const { sku, available } of page) pieces.set(sku, available)
      last = page.length === pageOfFile ? page.at(-1)?.sku : undefined
    }
    return formatStock(pieces)
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
function parseFile(text: string): ReadonlyMap<string, number> {
  const refuse = (detail: string): never => {
    throw new ProblemError(400, 'STOCK_FILE_INVALID', `${detail}; nothing was changed.`)
  }
  let pieces: ReadonlyMap<string, number> = new Map()
  try {
    pieces = parseStock(text, 'csv')
  } catch (error) {
    if (!(error instanceof StockFileError)) throw error
    refuse(error.message)
  }
  if (pieces.size === 0) refuse('The file has no SKUs in it')
  for (const [sku, available] of pieces) {
    if (!isSKU(sku))
      refuse(`${JSON.stringify(sku)} is no SKU: 1 to 64 printable characters in UTF-8 without white space around them`)
    if (available > mostPieces) refuse(`${available} pieces of ${sku} are more than ${mostPieces}`)
  }
  return pieces
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
