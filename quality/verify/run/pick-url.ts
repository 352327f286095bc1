/** Returns the URL of the running instance that a number selects; undefined if none runs. */
export function pickURL(urls: readonly string[], number: number): string | undefined {
  return urls[number % Math.max(1, urls.length)]
}
