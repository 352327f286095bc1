import { type Column, formatTable } from './table.ts'

/** Where a command says what it found: text for people, or one JSON document for programs. Progress goes to standard error. */
export interface Output {
  readonly isJson: boolean
  line(text?: string): void
  table<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): void
  /** The answer as a whole; nothing unless JSON was asked for. */
  json(value: unknown): void
  progress(text: string): void
}

export interface Streams {
  readonly stdout: { write(text: string): unknown }
  readonly stderr: { write(text: string): unknown; readonly isTTY?: boolean }
}

export function createOutput({ stdout, stderr }: Streams, isJson: boolean): Output {
  return {
    isJson,
    line: (text = '') => void (isJson || stdout.write(`${text}\n`)),
    table: (columns, rows) => void (isJson || stdout.write(`${formatTable(columns, rows)}\n`)),
    json: value => void (isJson && stdout.write(`${JSON.stringify(value, toJson, 2)}\n`)),
    progress: text => void stderr.write(`${text}\n`)
  }
}

/** Offsets are exact as numbers for longer than any log lives; what would not be goes as text. */
function toJson(_name: string, value: unknown): unknown {
  if (typeof value !== 'bigint') return value
  return Number.isSafeInteger(Number(value)) ? Number(value) : String(value)
}
