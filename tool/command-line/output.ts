import { escapeControls, escapeControlsInJSON, escapeControlsInLines } from '@orderly/service-kit'
import { type Column, formatTable } from './table.ts'

/**
 * Output of a command: text for people, or one JSON document for programs. Progress goes to standard error. Controls in the text
 * are escaped, because most of it comes from topics, tables and servers.
 */
export interface Output {
  readonly isJson: boolean
  line(text?: string): void
  /** A file. It is written as it is, and escaped only where a terminal shows it. Nothing if JSON was requested. */
  file(text: string): void
  table<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): void
  /** The answer as a whole; nothing unless JSON was asked for. */
  json(value: unknown): void
  progress(text: string): void
}

export interface Streams {
  readonly stdout: { write(text: string): unknown; readonly isTTY?: boolean }
  readonly stderr: { write(text: string): unknown; readonly isTTY?: boolean }
}

export function createOutput({ stdout, stderr }: Streams, isJson: boolean): Output {
  return {
    isJson,
    line: (text = '') => void (isJson || stdout.write(`${escapeControls(text)}\n`)),
    file: text => void (isJson || stdout.write(stdout.isTTY ? escapeControlsInLines(text) : text)),
    table: (columns, rows) => void (isJson || stdout.write(`${formatTable(columns, rows)}\n`)),
    json: value => void (isJson && stdout.write(`${escapeControlsInJSON(JSON.stringify(value, toJson, 2))}\n`)),
    progress: text => void stderr.write(`${escapeControls(text)}\n`)
  }
}

/** Offsets are exact as numbers for longer than any log lives; what would not be goes as text. */
function toJson(_name: string, value: unknown): unknown {
  if (typeof value !== 'bigint') return value
  return Number.isSafeInteger(Number(value)) ? Number(value) : String(value)
}
