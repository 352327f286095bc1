/**
 * Splits an address into a URL without user and password, as `fetch` requires, and the header that
 * sends them (RFC 7617).
 */
export function splitCredentials(address: string): { readonly url: URL; readonly headers: Record<string, string> } {
  const url = new URL(address)
  const [user, password] = [decodeURIComponent(url.username), decodeURIComponent(url.password)]
  url.username = url.password = ''
  const credentials = Buffer.from(`${user}:${password}`).toString('base64')
  return { url, headers: user === '' && password === '' ? {} : { authorization: `Basic ${credentials}` } }
}
