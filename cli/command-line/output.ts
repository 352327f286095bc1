import { type Column, formatTable } from '@orderly/command-line'
import { escapeControls, escapeControlsInJSON, escapeControlsInLines } from '@orderly/service-kit'

/**
 * Output of a command: text for people, or one JSON document for programs. Progress goes to
 * standard error. Control characters in text are escaped, because most of it comes from topics,
 * tables and servers.
 */
export interface Output {
  readonly isJson: boolean
  line(text?: string): void
  /** Writes a file unchanged; on a terminal it is escaped. Does nothing if JSON was requested. */
  file(text: string): void
  table<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): void
  /** Writes the whole result. Does nothing unless JSON was requested. */
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

/**
 * Converts an offset to a number if that is exact, which it is for any realistic log; otherwise to
 * text.
 */
function toJson(_name: string, value: unknown): unknown {
  if (typeof value !== 'bigint') return value
  return Number.isSafeInteger(Number(value)) ? Number(value) : String(value)
}
