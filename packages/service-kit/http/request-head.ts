import type { IncomingMessage } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { ProblemError } from './problem.ts'

/**
 * Refuses requests whose head can be read in two ways, before anything else is done with them: what a proxy in front of the
 * service made of them is then unknown. Node's parser refuses most of these (two Content-Lengths, Content-Length beside
 * Transfer-Encoding, obsolete line folding); this refuses what it lets through.
 */
export function checkRequestHeads(http: FastifyInstance): void {
  http.addHook('onRequest', ({ raw }, reply, done) => {
    const fault = faultOf(raw)
    // It is as doubtful where the next request begins.
    if (fault !== undefined) reply.header('connection', 'close')
    done(fault)
  })
}

/** A name or an address, and a port if there is one (RFC 9110, section 7.2). */
const host = /^(?:\[[0-9a-f:.]{2,45}\]|[a-z0-9._~-]{1,255})(?::\d{1,5})?$/i

function faultOf({ httpVersion, headers, rawHeaders, url }: IncomingMessage): ProblemError | undefined {
  if (httpVersion !== '1.1' && httpVersion !== '1.0') return badRequest('Send HTTP/1.1.')
  if (headers.host === undefined) {
    return httpVersion === '1.0' ? undefined : invalidHost('Send a `Host` header.')
  }
  if (countOfHosts(rawHeaders) > 1) return invalidHost('Send one `Host` header.')
  if (!host.test(headers.host)) return invalidHost('`Host` must be a name or an address, with or without a port.')
  if (url?.startsWith('/') === false && url !== '*' && !isSameHost(url, headers.host)) {
    return invalidHost('The address in the request line is not that in `Host`.')
  }
  const { 'transfer-encoding': encoding } = headers
  if (encoding !== undefined && (encoding.toLowerCase() !== 'chunked' || httpVersion === '1.0')) {
    return badRequest('The only `Transfer-Encoding` is `chunked`, in HTTP/1.1.')
  }
  return undefined
}

/** Node keeps the first one in `headers`. */
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

/** Returns true for a host that only this machine can reach. An address of IPv6 may have brackets or not. */
export function isLoopback(host: string): boolean {
  return loopbackName.test(host.includes(':') && !host.startsWith('[') ? `[${host}]` : host)
}

const loopbackName = /^(?:(?:.+\.)?localhost|127(?:\.\d{1,3}){3}|\[(?:::1|::ffff:127(?:\.\d{1,3}){3})\])$/

/**
 * Refuses requests for other hosts than loopback names and those given. A web page can make a browser connect to loopback
 * under the page's own name (DNS rebinding), and is then of the same origin as the service: only the name gives it away.
 *
 * Health and metrics stay open to everyone: probes and scrapers ask by address.
 */
export function allowHosts(http: FastifyInstance, names: readonly string[]): void {
  const allowed = new Set(names.map(nameOf))
  http.addHook('onRequest', ({ headers, url }, _reply, done) => {
    const name = nameOf(headers.host ?? '')
    if (loopbackName.test(name) || allowed.has(name) || isOperational(url)) return done()
    const detail =
      'While API_KEYS is off only loopback names are answered. Ask for http://localhost, or add the name to HTTP_ALLOWED_HOSTS.'
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
 * Refuses what a page of another site makes a browser send. Browsers say so in `Sec-Fetch-Site`, older ones with writes in
 * `Origin`; programs send neither and are not concerned. The rules are those of CrossOriginProtection in Go's net/http. In
 * addition other sites may not read, except by a link that is followed: they could not see the answer, but hold streams open.
 *
 * @param origins those whose pages may send requests all the same
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
    const detail = 'A page of another site sent this. Add its origin to HTTP_ALLOWED_ORIGINS if it may.'
    done(new ProblemError(403, 'CROSS_SITE_REQUEST', detail))
  })
}

/** @param origin a URL with nothing but its host in question */
function isSameHost(origin: string | undefined, host: string | undefined): boolean {
  return origin !== undefined && URL.canParse(origin) && new URL(origin).host === host?.toLowerCase()
}
