/**
 * Masks passwords in text that is logged or shown: everything before the `@` of an address, and parameters such as
 * `?password=…`. A password may hold any character, `@` and `/` among them, so the last `@` before white space counts. That
 * may mask more than the password, never less.
 *
 * Paths of files are left alone: those of scoped packages have an `@` as well.
 */
export function maskSecrets(text: string): string {
  return text
    .replace(secretParameter, '$1***')
    .replace(beforeAt, (whole, scheme: string) => (scheme.toLowerCase() === 'file' ? whole : `${scheme}://***@`))
}

const secretParameter = /([?&;][\w.-]*(?:password|passwd|pwd|secret|token|api[_-]?key)[\w.-]*=)[^&\s]*/gi
const beforeAt = /\b([a-z][a-z0-9+.-]*):\/\/\S*@/gi

/** Masks passwords in a line of JSON, which stays one. */
export function maskLine(line: string): string {
  return mayHoldSecret(line) ? line.replace(jsonText, maskText) : line
}

const jsonText = /"(?:[^"\\]|\\.)*"/g

function maskText(json: string): string {
  return mayHoldSecret(json) ? JSON.stringify(maskSecrets(JSON.parse(json))) : json
}

function mayHoldSecret(text: string): boolean {
  return text.includes('://') || text.includes('?')
}
