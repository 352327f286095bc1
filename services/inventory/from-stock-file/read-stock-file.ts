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
  return parseStock(await readFile(path, 'utf8'), path)
}

/**
 * Parses `sku,available` or `sku,onHand` lines below a header with these names. A SKU that contains a comma or quotes is quoted
 * as in RFC 4180. Empty lines are ignored.
 * @throws StockFileError naming the line
 */
export function parseStock(text: string, path: string): ReadonlyMap<string, StockCount> {
  const [header, ...lines] = text.replace(/^\uFEFF/, '').split(/\r?\n/)
  const refuse = (lineNumber: number, problem: string): never => {
    throw new StockFileError(`${path}:${lineNumber}: ${problem}`)
  }
  const column = stockColumns.find(name => header?.trim() === `sku,${name}`)
  if (column === undefined) return refuse(1, 'expected the header "sku,onHand" or "sku,available"')
  const counts = new Map<string, StockCount>()
  for (const [index, line] of lines.entries()) {
    if (line.trim() === '') continue
    const lineNumber = index + 2
    const match = /^(?:"((?:[^"]|"")+)"|([^",]+)),\s*(\d+)\s*$/.exec(line)
    if (!match) return refuse(lineNumber, `expected a SKU, a comma and a whole number, found ${JSON.stringify(line)}`)
    const sku = match[1]?.replaceAll('""', '"') ?? (match[2] as string).trim()
    const pieces = Number(match[3])
    if (!Number.isSafeInteger(pieces)) refuse(lineNumber, `${match[3]} pieces are too many to count exactly`)
    if (counts.has(sku)) refuse(lineNumber, `the SKU ${sku} stands here a second time`)
    counts.set(sku, column === 'onHand' ? { onHand: pieces } : { available: pieces })
  }
  return counts
}

/** Formats a file that `parseStock` reads. */
export function formatStock(column: StockColumn, pieces: Iterable<readonly [sku: string, pieces: number]>): string {
  const lines = Array.from(pieces, ([sku, count]) => `${quoted(sku)},${count}\n`)
  return `sku,${column}\n${lines.join('')}`
}

function quoted(sku: string): string {
  return /[",]|^\s|\s$/.test(sku) ? `"${sku.replaceAll('"', '""')}"` : sku
}
