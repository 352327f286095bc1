import { readFile } from 'node:fs/promises'
import type { Logger } from '@orderly/service-kit'
import { availableFor, type StockCount } from '../domain/stock-count.ts'
import type { StockStore } from '../store/stock-store.ts'

/** Error for an invalid stock file. */
export class StockFileError extends Error {
  readonly code = 'STOCK_FILE_INVALID'
  readonly retryable = false
  /** EX_CONFIG of sysexits.h, because a setting names the invalid file. */
  readonly exitCode = 78
  override readonly name = 'StockFileError'
}

export const stockColumns = ['available', 'onHand'] as const
export type StockColumn = (typeof stockColumns)[number]

export async function readStockFile(path: string): Promise<ReadonlyMap<string, StockCount>> {
  return parseStock(await readFile(path), path)
}

/** Adds the SKUs of a file that do not exist yet. */
export async function seedStock(
  store: Pick<StockStore, 'addMissing'>,
  file: string,
  logger: Pick<Logger, 'info'>
): Promise<void> {
  const counts = await readStockFile(file)
  // A new SKU has no reserved pieces, so all of its pieces on hand are available.
  const pieces = Array.from(counts, ([sku, count]) => [sku, availableFor(count, 0) ?? 0] as const)
  const added = await store.addMissing(new Map(pieces))
  logger.info({ added, file }, 'stock seeded')
}

/**
 * Number of rows that fit into the largest file that the API accepts, with SKUs of 30 characters.
 */
const maxRows = 100_000
/** Upper bound for a line with a SKU of 64 characters in any encoding and quoting. */
const maxLineBytes = 1_000
const maxShownCharacters = 100

/**
 * Parses lines of `sku,available` or `sku,onHand` after a header with these names. A SKU with a
 * comma or quotes is quoted as in RFC 4180. An apostrophe that protects a SKU from being read as a
 * formula by spreadsheets is removed. Empty lines are ignored. Each line is decoded separately and
 * counted before the next one, so limits apply before memory is used.
 * @throws StockFileError that names the line
 */
export function parseStock(bytes: Buffer, path: string): ReadonlyMap<string, StockCount> {
  const refuse = (lineNumber: number, problem: string): never => {
    throw new StockFileError(`${path}:${lineNumber}: ${problem}`)
  }
  let column: StockColumn | undefined
  const counts = new Map<string, StockCount>()
  let lineNumber = 0
  for (let start = 0; start < bytes.length || lineNumber === 0; ) {
    const lineFeed = bytes.indexOf(0x0a, start)
    const end = lineFeed === -1 ? bytes.length : lineFeed
    lineNumber++
    if (end - start > maxLineBytes) refuse(lineNumber, `the line is longer than ${maxLineBytes} bytes: shorten it`)
    const line = bytes.toString('utf8', start, end)
    start = end + 1
    if (column === undefined) {
      column = stockColumns.find(name => line.replace(/^\uFEFF/, '').trim() === `sku,${name}`)
      if (column === undefined) return refuse(1, 'expected the header "sku,onHand" or "sku,available"')
      continue
    }
    if (line.trim() === '') continue
    if (counts.size === maxRows) refuse(lineNumber, `the file has more than ${maxRows} SKUs: split it`)
    const match = /^(?:"((?:[^"]|"")+)"|([^",]+)),\s*(\d+)\s*$/.exec(line)
    if (!match)
      return refuse(
        lineNumber,
        `expected a SKU, a comma and a whole number, found ${JSON.stringify(line.slice(0, maxShownCharacters))}`
      )
    const sku = (match[1]?.replaceAll('""', '"') ?? (match[2] as string).trim()).replace(guarded, '')
    const pieces = Number(match[3])
    if (!Number.isSafeInteger(pieces))
      refuse(lineNumber, `the number of pieces must be at most ${Number.MAX_SAFE_INTEGER} (got ${match[3]})`)
    if (counts.has(sku)) refuse(lineNumber, `duplicate SKU ${sku}: remove one of its lines`)
    counts.set(sku, column === 'onHand' ? { onHand: pieces } : { available: pieces })
  }
  return counts
}

/**
 * Beginnings of cells that spreadsheets evaluate as formulas, even in quoted fields. A preceding
 * apostrophe makes such a cell text. A SKU that begins with an apostrophe gets another one, so that
 * every SKU is parsed as it was written.
 */
const formula = /^[=+\-@\uff1d\uff0b\uff0d\uff20'\t\r]/
const guarded = /^'(?=[=+\-@\uff1d\uff0b\uff0d\uff20'\t\r])/

/** Formats the header of a file that `parseStock` reads. */
export function stockHeader(column: StockColumn): string {
  return `sku,${column}\n`
}

export function stockLine(sku: string, pieces: number): string {
  return `${quoted(sku)},${pieces}\n`
}

function quoted(sku: string): string {
  const text = formula.test(sku) ? `'${sku}` : sku
  return /[",]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
