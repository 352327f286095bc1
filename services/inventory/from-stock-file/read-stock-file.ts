import { readFile } from 'node:fs/promises'

/** A stock file says something that cannot be meant. */
export class StockFileError extends Error {
  readonly code = 'STOCK_FILE_INVALID'
  readonly retryable = false
  /** EX_CONFIG of sysexits.h: the setting names a file that is wrong. */
  readonly exitCode = 78
  override readonly name = 'StockFileError'
}

export async function readStockFile(path: string): Promise<ReadonlyMap<string, number>> {
  return parseStock(await readFile(path, 'utf8'), path)
}

/**
 * Parses `sku,available` lines below a header of just that. A SKU with a comma or quotes in it stands in quotes, doubled
 * inside, as RFC 4180 has it. Empty lines do not count.
 * @throws StockFileError naming the line
 */
export function parseStock(text: string, path: string): ReadonlyMap<string, number> {
  const [header, ...lines] = text.replace(/^\uFEFF/, '').split(/\r?\n/)
  const refuse = (lineNumber: number, problem: string): never => {
    throw new StockFileError(`${path}:${lineNumber}: ${problem}`)
  }
  if (header?.trim() !== 'sku,available') refuse(1, 'expected the header "sku,available"')
  const pieces = new Map<string, number>()
  for (const [index, line] of lines.entries()) {
    if (line.trim() === '') continue
    const lineNumber = index + 2
    const match = /^(?:"((?:[^"]|"")+)"|([^",]+)),\s*(\d+)\s*$/.exec(line)
    if (!match) return refuse(lineNumber, `expected a SKU, a comma and a whole number, found ${JSON.stringify(line)}`)
    const sku = match[1]?.replaceAll('""', '"') ?? (match[2] as string).trim()
    const available = Number(match[3])
    if (!Number.isSafeInteger(available)) refuse(lineNumber, `${match[3]} pieces are too many to count exactly`)
    if (pieces.has(sku)) refuse(lineNumber, `the SKU ${sku} stands here a second time`)
    pieces.set(sku, available)
  }
  return pieces
}

/** What `parseStock` reads. */
export function formatStock(pieces: Iterable<readonly [sku: string, available: number]>): string {
  const lines = Array.from(pieces, ([sku, available]) => `${quoted(sku)},${available}\n`)
  return `sku,available\n${lines.join('')}`
}

function quoted(sku: string): string {
  return /[",]|^\s|\s$/.test(sku) ? `"${sku.replaceAll('"', '""')}"` : sku
}
