import { Readable } from 'node:stream'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import { reservedName, staffRoles } from '@orderly/callers'
import { idempotencyKeyOf, ProblemError, readBody } from '@orderly/service-kit'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { FastifySchemaValidationError } from 'fastify/types/schema.js'
import type { StockCount } from '../domain/stock-count.ts'
import { parseStock, type StockColumn, StockFileError, stockHeader, stockLine } from '../stock-file/read-stock-file.ts'
import type { AdjustmentResult, SetResult, StockAdmin } from '../store/stock-admin.ts'
import type { StockLevel } from '../store/stock-store.ts'
import {
  adjustLevel,
  isSKU,
  listLevels,
  listMovements,
  type ManyLevels,
  ManyLevelsItem,
  manyLevelsBody,
  mostPieces,
  readLevel,
  setLevel,
  setLevels,
  sharedSchemas
} from './schema.ts'

/** Enough for 100,000 SKUs of the usual length. */
const maxFileBytes = 4 * 1024 * 1024
const pageOfFile = 5_000
/**
 * Maximum number of JSON values in a body: the largest valid body and some more, so that unknown
 * fields are still reported.
 */
const maxManyValues = 40_000
const maxErrors = 50

const operators = { access: ['operator'] } as const
const staff = { access: staffRoles } as const
const everyCaller = { access: ['shop', ...staffRoles] } as const

export function addStockRoutes(http: FastifyInstance, stock: StockAdmin): void {
  for (const schema of sharedSchemas) http.addSchema(schema)
  const routes = http.withTypeProvider<TypeBoxTypeProvider>()

  routes.get('/stock/:sku', { schema: readLevel, config: everyCaller }, async ({ params, caller }) => {
    const level = await stock.level(params.sku)
    if (level === undefined) throw unknownSKU()
    // Reserved pieces belong to other tenants, so shops must not see them.
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
    const key = { caller: keysOwner(request), key: idempotencyKeyOf(request) as string }
    const result = await stock.adjust({ sku, delta, key }, { by: operatorOf(request), reason })
    if (result.kind !== 'adjusted') throw refusalOf(result, delta)
    if (result.isReplay) reply.header('idempotent-replayed', 'true')
    return toAnswer(result.level)
  })

  http.addContentTypeParser('text/csv', (request, payload, done) => readBody(request, payload, done))

  const many = {
    schema: setLevels,
    bodyLimit: maxFileBytes,
    config: { ...operators, maxValues: maxManyValues, describedAs: { body: manyLevelsBody } }
  }
  routes.put('/stock', many, async request => {
    const body = request.body as ManyLevels | Buffer
    const counts = Buffer.isBuffer(body) ? parseFile(body) : checkItems(body.items, request)
    const { reason = Buffer.isBuffer(body) ? undefined : body.reason } = request.query
    const result = await stock.set(counts, { by: operatorOf(request), reason })
    return { count: levelsOf(result).length }
  })

  routes.get('/stock', { schema: listLevels, config: staff }, async (request, reply) => {
    const { after = '', limit = '1000', column = 'available' } = request.query
    if (request.headers.accept?.includes('text/csv') === true) {
      const first = await stock.page({ after, limit: pageOfFile })
      return reply.type('text/csv; charset=utf-8').send(Readable.from(linesOfFile(first, column)) as never)
    }
    const items = await stock.page({ after, limit: Number(limit) })
    const last = items.at(-1)
    return {
      items: items.map(toAnswer),
      ...(last !== undefined && items.length === Number(limit) && { nextAfter: last.sku })
    }
  })

  /** Yields the CSV file page by page, as fast as the caller reads it. */
  async function* linesOfFile(first: readonly StockLevel[], column: StockColumn): AsyncGenerator<string> {
    yield stockHeader(column)
    for (let page = first; page.length > 0; ) {
      yield page.map(level => stockLine(level.sku, toAnswer(level)[column])).join('')
      if (page.length < pageOfFile) return
      page = await stock.page({ after: page.at(-1)?.sku as string, limit: pageOfFile })
    }
  }

  routes.get('/stock/:sku/movements', { schema: listMovements, config: staff }, async ({ params: { sku }, query }) => {
    const before = Number(query.before ?? Number.MAX_SAFE_INTEGER)
    const movements = await stock.movements(sku, { before, limit: Number(query.limit ?? 100) })
    return { items: movements.map(({ movedAtMs, ...own }) => ({ ...own, at: new Date(movedAtMs).toISOString() })) }
  })
}

/**
 * Validates the items one at a time and stops at the number of errors that a response can show. The
 * schema of the whole array would create errors for all items.
 * @throws the validation error of a schema, with the pointers of the invalid items
 */
function checkItems(items: readonly unknown[], request: FastifyRequest): ReadonlyMap<string, StockCount> {
  const isItem = request.compileValidationSchema(ManyLevelsItem)
  const counts = new Map<string, StockCount>()
  const errors: FastifySchemaValidationError[] = []
  for (const [index, item] of items.entries()) {
    if (isItem(item as object)) {
      const { sku, ...count } = item as StockCount & { sku: string }
      counts.set(sku, count)
      continue
    }
    for (const error of (isItem.errors ?? []) as FastifySchemaValidationError[]) {
      errors.push({ ...error, instancePath: `/items/${index}${error.instancePath}` })
    }
    if (errors.length >= maxErrors) break
  }
  if (errors.length > 0) throw Object.assign(new Error('invalid items'), { validation: errors })
  return counts
}

/** Parses a CSV file. @throws ProblemError that names the invalid line */
function parseFile(bytes: Buffer): ReadonlyMap<string, StockCount> {
  const refuse = (detail: string): never => {
    throw new ProblemError(400, 'STOCK_FILE_INVALID', `${detail}; nothing was changed.`)
  }
  let counts: ReadonlyMap<string, StockCount> = new Map()
  try {
    counts = parseStock(bytes, 'csv')
  } catch (error) {
    if (!(error instanceof StockFileError)) throw error
    refuse(error.message)
  }
  if (counts.size === 0) refuse('The file contains no SKUs')
  for (const [sku, count] of counts) {
    const pieces = 'onHand' in count ? count.onHand : count.available
    if (!isSKU(sku))
      refuse(
        `${JSON.stringify(sku)} is not a valid SKU: use 1 to 64 printable characters in UTF-8 without white space around them`
      )
    if (pieces > mostPieces) refuse(`The pieces of ${sku} must be at most ${mostPieces} (got ${pieces})`)
  }
  return counts
}

function toAnswer({ sku, available, reserved }: StockLevel) {
  return { sku, available, reserved, onHand: available + reserved }
}

const mostNamed = 10

/**
 * Returns the levels of a result.
 * @throws ProblemError 409 if `onHand` was below the reserved pieces
 */
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
  return new ProblemError(404, 'SKU_NOT_FOUND', 'The SKU does not exist. PUT its stock to add it.')
}

function refusalOf(result: Exclude<AdjustmentResult, { kind: 'adjusted' }>, delta: number): ProblemError {
  if (result.kind === 'unknown-sku') return unknownSKU()
  if (result.kind === 'key-conflict') {
    const detail = 'This idempotency key belongs to another adjustment. Use a new key for each adjustment.'
    return new ProblemError(422, 'IDEMPOTENCY_KEY_REUSED', detail)
  }
  const { available } = result
  return result.kind === 'too-few'
    ? new ProblemError(
        409,
        'STOCK_TOO_LOW',
        `Only ${available} pieces are available, so ${-delta} cannot be removed; nothing was changed.`
      )
    : new ProblemError(
        409,
        'STOCK_TOO_HIGH',
        `${available} pieces are available; ${delta} more would exceed ${Number.MAX_SAFE_INTEGER}; nothing was changed.`
      )
}

/**
 * Returns the namespace of the idempotency keys: the caller, or a shared one if authentication is
 * off.
 */
function keysOwner({ caller }: FastifyRequest): string {
  return caller?.name ?? reservedName
}

/**
 * Returns the operator's name for movements: the caller, or the header `x-operator` if
 * authentication is off.
 */
function operatorOf({ caller, headers }: FastifyRequest): string {
  if (caller !== undefined) return caller.name
  const name = headers['x-operator']
  return typeof name === 'string' ? name : reservedName
}
