import type { IncomingMessage } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { ProblemError } from './problem.ts'

/**
 * Refuses requests with an ambiguous head before anything else happens: a proxy in front of the
 * service may have interpreted it differently (request smuggling). Node's parser already refuses
 * most of them: two Content-Lengths, Content-Length with Transfer-Encoding, obsolete line folding.
 * This hook refuses the rest.
 */
export function checkRequestHeads(http: FastifyInstance): void {
  http.addHook('onRequest', ({ raw }, reply, done) => {
    const fault = faultOf(raw)
    // The start of the next request on this connection is ambiguous, too.
    if (fault !== undefined) reply.header('connection', 'close')
    done(fault)
  })
}

/** Pattern of a name or an address with an optional port (RFC 9110, section 7.2). */
const host = /^(?:\[[0-9a-f:.]{2,45}\]|[a-z0-9._~-]{1,255})(?::\d{1,5})?$/i

function faultOf({ httpVersion, headers, rawHeaders, url }: IncomingMessage): ProblemError | undefined {
  if (httpVersion !== '1.1' && httpVersion !== '1.0') return badRequest('Send HTTP/1.1.')
  if (headers.host === undefined) {
    return httpVersion === '1.0' ? undefined : invalidHost('Send a `Host` header.')
  }
  if (countOfHosts(rawHeaders) > 1) return invalidHost('Send one `Host` header.')
  if (!host.test(headers.host)) return invalidHost('`Host` must be a name or an address, with or without a port.')
  if (url?.startsWith('/') === false && url !== '*' && !isSameHost(url, headers.host)) {
    return invalidHost('The host in the request line differs from `Host`.')
  }
  const { 'transfer-encoding': encoding } = headers
  if (encoding !== undefined && (encoding.toLowerCase() !== 'chunked' || httpVersion === '1.0')) {
    return badRequest('The only supported `Transfer-Encoding` is `chunked`, in HTTP/1.1.')
  }
  return undefined
}

/** Counts `Host` headers in the raw headers, because Node keeps only the first one in `headers`. */
function countOfHosts(rawHeaders: readonly string[]): number {
  let count = 0
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string
    if (name.length === 4 && name.toLowerCase() === 'host') count++
  }
  return count
}

function badRequest(detail: string): ProblemError {
  return new ProblemError(400, 'BAD_REQUEST', detail)
}

function invalidHost(detail: string): ProblemError {
  return new ProblemError(400, 'INVALID_HOST', detail)
}

/** Returns true for a host that only this machine can reach. IPv6 addresses may have brackets. */
export function isLoopback(host: string): boolean {
  return loopbackName.test(host.includes(':') && !host.startsWith('[') ? `[${host}]` : host)
}

const loopbackName = /^(?:(?:.+\.)?localhost|127(?:\.\d{1,3}){3}|\[(?:::1|::ffff:127(?:\.\d{1,3}){3})\])$/

/**
 * Refuses requests unless `Host` is a loopback name or one of `names`. A web page can make a
 * browser connect to loopback under the page's own host name (DNS rebinding) and then has the same
 * origin as the service. Only the host name reveals the attack.
 *
 * Health and metrics accept any host, because probes and scrapers use addresses.
 */
export function allowHosts(http: FastifyInstance, names: readonly string[]): void {
  const allowed = new Set(names.map(nameOf))
  http.addHook('onRequest', ({ headers, url }, _reply, done) => {
    const name = nameOf(headers.host ?? '')
    if (loopbackName.test(name) || allowed.has(name) || isOperational(url)) return done()
    const detail =
      'While API_KEYS is off, only loopback host names are accepted. Use http://localhost, or add the name to HTTP_ALLOWED_HOSTS.'
    done(new ProblemError(421, 'HOST_NOT_ALLOWED', detail))
  })
}

function nameOf(host: string): string {
  return host.replace(/:\d+$/, '').replace(/\.$/, '').toLowerCase()
}

function isOperational(url: string): boolean {
  const path = url.split('?', 1)[0] as string
  return path === '/metrics' || path === '/health/live' || path === '/health/ready'
}

const reading = new Set(['GET', 'HEAD', 'OPTIONS'])

/**
 * Refuses cross-site requests of browsers, by the rules of CrossOriginProtection in Go's net/http.
 * Browsers mark them with `Sec-Fetch-Site`; older browsers send `Origin` with writes. Programs send
 * neither header and are not affected.
 *
 * Cross-site reads are refused as well, except navigations. Other sites cannot see the response,
 * but could hold streams open.
 *
 * @param origins origins whose cross-site requests are accepted
 */
export function refuseCrossSite(http: FastifyInstance, origins: readonly string[]): void {
  const allowed = new Set(origins)
  http.addHook('onRequest', ({ method, headers }, _reply, done) => {
    const { 'sec-fetch-site': site, origin } = headers
    if (site === undefined && origin === undefined) return done()
    if (origin !== undefined && allowed.has(origin)) return done()
    const isFine = reading.has(method)
      ? site !== 'cross-site' || headers['sec-fetch-mode'] === 'navigate'
      : site === undefined
        ? isSameHost(origin, headers.host)
        : site === 'same-origin' || site === 'none'
    if (isFine) return done()
    const detail =
      'A page of another site sent this request. To allow it, add the origin of the page to HTTP_ALLOWED_ORIGINS.'
    done(new ProblemError(403, 'CROSS_SITE_REQUEST', detail))
  })
}

/** Compares the host of a URL with a `Host` header. */
function isSameHost(origin: string | undefined, host: string | undefined): boolean {
  return origin !== undefined && URL.canParse(origin) && new URL(origin).host === host?.toLowerCase()
}
