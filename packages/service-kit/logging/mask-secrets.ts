/**
 * Masks passwords in text that is logged or shown: everything before the `@` of an address, and
 * parameters such as `?password=…`. A password can contain any character, including `@` and `/`, so
 * everything up to the last `@` before white space is masked. That may be more than the password.
 *
 * File URLs are not masked, because the paths of scoped packages contain an `@`.
 */
export function maskSecrets(text: string): string {
  return text
    .replace(secretParameter, '$1***')
    .replace(beforeAt, (whole, scheme: string) => (scheme.toLowerCase() === 'file' ? whole : `${scheme}://***@`))
}

const secretParameter = /([?&;][\w.-]*(?:password|passwd|pwd|secret|token|api[_-]?key)[\w.-]*=)[^&\s]*/gi
const beforeAt = /\b([a-z][a-z0-9+.-]*):\/\/\S*@/gi

/** Masks passwords in a line of JSON; the result is valid JSON. */
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
