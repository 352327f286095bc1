/**
 * Control characters to escape in untrusted text (keys, headers, ids, error messages): C0 and C1
 * controls, line and paragraph separators, and bidirectional controls. Unescaped, they could
 * control the terminal or change how the surrounding text reads.
 */
const controls = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu
const controlsExceptLayout = /(?![\n\t])[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu

const code = (character: string, digits: number) => character.charCodeAt(0).toString(16).padStart(digits, '0')

function escaped(character: string): string {
  return character < '\u0100' ? `\\x${code(character, 2)}` : `\\u${code(character, 4)}`
}

/** Escapes all control characters, for text that is printed on one line. */
export function escapeControls(text: string): string {
  return text.replace(controls, escaped)
}

/**
 * Escapes all control characters except newlines and tabs, for text of several lines such as a
 * stack trace or a table.
 */
export function escapeControlsInLines(text: string): string {
  return text.replace(controlsExceptLayout, escaped)
}

/**
 * Escapes the control characters that JSON does not escape: C1 controls, separators and
 * bidirectional controls. The result parses to the same value.
 */
export function escapeControlsInJSON(json: string): string {
  // Most log lines are ASCII, and this check takes a tenth of the time of the search.
  if (Buffer.byteLength(json) === json.length && !json.includes('\x7f')) return json
  return json.replace(controlsExceptLayout, character => `\\u${code(character, 4)}`)
}

/**
 * Escapes all names and texts within a value. Texts whose name satisfies `isLines` keep their
 * newlines and tabs.
 */
export function escapeControlsWithin(value: unknown, isLines: (name: string) => boolean, name = ''): unknown {
  if (typeof value === 'string') return isLines(name) ? escapeControlsInLines(value) : escapeControls(value)
  if (Array.isArray(value)) return value.map(item => escapeControlsWithin(item, isLines, name))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [escapeControls(key), escapeControlsWithin(item, isLines, key)])
  )
}
