/** Checks of what a program passes to the client. Each error names the value and its limits. */

/** @throws RangeError unless the value is an integer within the limits, or undefined */
export function checkInteger(name: string, value: number | undefined, least: number, most: number): void {
  if (value === undefined || (Number.isInteger(value) && value >= least && value <= most)) return
  throw new RangeError(`\`${name}\` must be an integer from ${least} to ${most} (got ${show(value)})`)
}

/** @throws TypeError unless the value is a string with at least one character */
export function checkText(name: string, value: unknown): void {
  if (typeof value === 'string' && value !== '') return
  throw new TypeError(`\`${name}\` must be a string that is not empty (got ${show(value)})`)
}

/**
 * Returns a base URL without the slashes at its end.
 * @throws TypeError unless it is an absolute http or https URL without query and fragment
 */
export function parseBaseURL(value: string): string {
  const url = URL.canParse(value) ? new URL(value) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.search !== '' || url.hash !== '')
    throw new TypeError(`\`baseURL\` must be an http or https URL without query and fragment (got ${show(value)})`)
  if (url.username !== '' || url.password !== '')
    throw new TypeError('`baseURL` must not contain a user or password: pass an API key as `apiKey`')
  return value.replace(/\/+$/, '')
}

function show(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value.slice(0, 100)) : String(value)
}
