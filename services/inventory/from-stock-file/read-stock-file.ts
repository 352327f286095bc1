import { readFile } from 'node:fs/promises'
import type { StockCount } from '../domain/set-stock.ts'

/** A stock file says something that cannot be meant. */
export class StockFileError extends Error {
  readonly code = 'STOCK_FILE_INVALID'
  readonly retryable = false
  /** EX_CONFIG of sysexits.h: the setting names a file that is wrong. */
  readonly exitCode = 78
  override readonly name = 'StockFileError'
}

export const stockColumns = ['available', 'onHand'] as const
export type StockColumn = (typeof stockColumns)[number]

export async function readStockFile(path: string): Promise<ReadonlyMap<string, StockCount>> {
  return parseStock(await readFile(path), path)
}

/** As many rows as fit into the largest file that the API accepts, with SKUs of 30 characters. */
const maxRows = 100_000
/** A SKU of 64 characters takes less, however it is written. */
const maxLineBytes = 1_000
const maxShownCharacters = 100

/**
 * Parses `sku,available` or `sku,onHand` lines below a header with these names. A SKU that contains a comma or quotes is quoted
 * as in RFC 4180. An apostrophe that keeps spreadsheets from taking a SKU for a formula is not a part of the SKU. Empty lines are
 * ignored. Lines are decoded one at a time, and rows are counted as they come.
 * @throws StockFileError naming the line
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
    if (end - start > maxLineBytes) refuse(lineNumber, `the line is longer than ${maxLineBytes} bytes`)
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
    if (!Number.isSafeInteger(pieces)) refuse(lineNumber, `${match[3]} pieces are too many to count exactly`)
    if (counts.has(sku)) refuse(lineNumber, `the SKU ${sku} stands here a second time`)
    counts.set(sku, column === 'onHand' ? { onHand: pieces } : { available: pieces })
  }
  return counts
}

/**
 * Spreadsheets evaluate a cell that begins so, in a quoted field as well; a preceding apostrophe makes it a text. A text that begins
 * with an apostrophe gets another one, so that every SKU is read as it was written.
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
