import { readFileSync } from 'node:fs'

/**
 * The page `/docs` of every service with an API. It shows the APIs of all services, and sends
 * requests only to the service that serves it (record 73).
 */

/** The services with an API, in the order of the page's list. */
export const apiNames = ['order', 'inventory', 'aggregator'] as const
export type ApiName = (typeof apiNames)[number]

export const apiPagePath = '/docs'

/** Content security policy of the page: it may load from and connect to this service only. */
export const apiPagePolicy = [
  "default-src 'none'",
  "script-src 'self'",
  // Swagger UI writes inline styles.
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'"
].join('; ')

/** Addresses of the services with an API, as far as they are known: `HTTP_API_ADDRESSES`. */
export type ApiAddresses = Partial<Readonly<Record<ApiName, string>>>

/** @param entries such as `order=http://127.0.0.1:8080` */
export function parseApiAddresses(entries: readonly string[]): ApiAddresses {
  return Object.fromEntries(entries.map(entry => [entry.slice(0, entry.indexOf('=')), addressIn(entry)]))
}

function addressIn(entry: string): string {
  return entry.slice(entry.indexOf('=') + 1)
}

export const apiAddressPattern = `^(?:${apiNames.join('|')})=https?://[^\\s/=]+$`

/** Returns the names and paths of the documents, for the page's list. */
export function documentList(own: ApiName): { readonly name: string; readonly url: string }[] {
  return apiNames.map(name => ({ name, url: name === own ? '/openapi.json' : pathOf(name) }))
}

/** Returns the documents of the other services by their paths. */
export function otherDocuments(own: ApiName, addresses: ApiAddresses): { readonly path: string; read(): string }[] {
  return apiNames
    .filter(name => name !== own)
    .map(name => ({ path: pathOf(name), read: () => documentElsewhere(name, addresses[name]) }))
}

function pathOf(name: ApiName): string {
  return `${apiPagePath}/api/${name}.json`
}

/**
 * Returns the generated document of another service, with a link to the page that can send
 * requests.
 */
function documentElsewhere(name: ApiName, address: string | undefined): string {
  const document = JSON.parse(readFileSync(new URL(`api-documents/${name}.json`, import.meta.url), 'utf8'))
  const page =
    address === undefined
      ? `\`${apiPagePath}\` of the service \`${name}\``
      : `[${address}${apiPagePath}](${address}${apiPagePath})`
  return JSON.stringify({
    ...document,
    [elsewhere]: true,
    info: { ...document.info, description: `**To send requests, open ${page}.**\n\n${document.info.description}` },
    ...(address !== undefined && { servers: [{ url: address }] })
  })
}

/** Property of a document whose service does not serve the page. */
const elsewhere = 'x-elsewhere'

/** Global of Swagger UI in the browser. */
declare const SwaggerUIBundle: { readonly plugins: { readonly DownloadUrl: unknown } }
interface PageSystem {
  readonly specSelectors: { specJson(): { get(property: string): unknown } }
}

/**
 * Plugin of Swagger UI, which hides "Try it out" in documents of other services. It runs in the
 * browser and is sent there as text, so it must not refer to anything in this file.
 */
export function pagePlugin() {
  const allowTryItOutFor =
    (_original: unknown, { specSelectors }: PageSystem) =>
    () =>
      specSelectors.specJson().get('x-elsewhere') !== true
  return [SwaggerUIBundle.plugins.DownloadUrl, { statePlugins: { spec: { wrapSelectors: { allowTryItOutFor } } } }]
}

const wordmark = (text: string, width: number, color: string) =>
  `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="40" viewBox="0 0 ${width} 40"><text x="2" y="29" font-family="sans-serif" font-size="26" font-weight="bold" fill="${color}">${text}</text></svg>`

export const logo = { type: 'image/svg+xml', content: Buffer.from(wordmark('Orderly', 110, '#fff')), href: apiPagePath }
export const favicon = {
  ...{ filename: 'favicon.svg', rel: 'icon', type: 'image/svg+xml', sizes: 'any' },
  content: wordmark('O', 28, '#1b1b1b')
}
