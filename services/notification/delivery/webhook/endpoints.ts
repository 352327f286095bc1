import type { StoredEndpoint } from '../../store/endpoints.ts'
import { createNetworks, type Networks, parseNetwork } from './networks.ts'
import { parseSecret } from './signature.ts'

export interface Endpoint {
  /** Name of the target: `webhook:` followed by the name of the endpoint. */
  readonly target: string
  /**
   * Caller whose notifications it receives; undefined for an endpoint of the operator, which
   * receives those of all callers.
   */
  readonly caller?: string
  readonly url: URL
  /** Signing keys. Their order does not matter, because receivers try them all. */
  readonly keys: readonly Buffer[]
}

export interface EndpointSettings extends NetworkSettings {
  readonly WEBHOOK_URLS?: readonly string[]
  readonly WEBHOOK_SECRETS?: readonly string[]
}

export interface NetworkSettings {
  readonly WEBHOOK_ALLOWED_NETWORKS: readonly string[]
  readonly WEBHOOK_CALLERS_ALLOWED_NETWORKS: readonly string[]
  readonly WEBHOOK_FORBIDDEN_NETWORKS: readonly string[]
}

const networkSettings = [
  'WEBHOOK_ALLOWED_NETWORKS',
  'WEBHOOK_CALLERS_ALLOWED_NETWORKS',
  'WEBHOOK_FORBIDDEN_NETWORKS'
] as const

const nameShape = /^[a-z0-9][a-z0-9-]{0,31}$/
const urlsAdvice = 'set it to the endpoints, shop=https://shop.example/hooks, separated by commas'
const secretsAdvice =
  'set it to one secret per endpoint, as in shop=whsec_… (24 to 64 random bytes in base64), or two during a rotation'

/**
 * Parses endpoints given as `name=url`, and their secrets given as `name=whsec_…`. Problems never
 * contain a secret.
 */
export function parseEndpoints(
  settings: EndpointSettings,
  isProd: boolean
): { endpoints: readonly Endpoint[]; problems: readonly string[] } {
  const { WEBHOOK_URLS: urls = [], WEBHOOK_SECRETS: secrets = [] } = settings
  const problems: string[] = []
  if (urls.length === 0) problems.push(`WEBHOOK_URLS is needed because NOTIFICATION_SINKS names webhook: ${urlsAdvice}`)

  const networks = createNetworks({
    allowed: settings.WEBHOOK_ALLOWED_NETWORKS.filter(isNetwork),
    forbidden: settings.WEBHOOK_FORBIDDEN_NETWORKS.filter(isNetwork)
  })

  const endpoints = new Map<string, { target: string; url: URL; keys: Buffer[] }>()
  for (const [index, text] of urls.entries()) {
    const { name, value } = splitPair(text)
    const parsed = parseURL(value, { isProd, networks })
    const complain = (what: string) => problems.push(`WEBHOOK_URLS, entry ${index + 1}: ${what}; ${urlsAdvice}`)
    if (!nameShape.test(name))
      complain('it does not start with a name of lower-case letters, digits and hyphens before "="')
    else if (endpoints.has(name)) complain(`the name "${name}" is used twice`)
    else if ('problem' in parsed) complain(`"${name}" ${parsed.problem}`)
    else endpoints.set(name, { target: `webhook:${name}`, url: parsed.url, keys: [] })
  }

  for (const [index, text] of secrets.entries()) {
    const { name, value } = splitPair(text)
    const key = parseSecret(value)
    const complain = (what: string) => problems.push(`WEBHOOK_SECRETS, entry ${index + 1}: ${what}; ${secretsAdvice}`)
    if (!urls.some(url => splitPair(url).name === name)) complain('it does not start with a name from WEBHOOK_URLS')
    else if (key === undefined) complain(`the secret of "${name}" is not whsec_ and 24 to 64 bytes in base64`)
    else endpoints.get(name)?.keys.push(key)
  }
  for (const name of endpoints.keys()) {
    if (secrets.some(secret => splitPair(secret).name === name)) continue
    problems.push(`WEBHOOK_SECRETS has no secret for "${name}": ${secretsAdvice}`)
  }
  return { endpoints: [...endpoints.values()], problems }
}

export interface URLRules {
  readonly isProd: boolean
  readonly networks: Networks
}

/** Parses a URL. The problem does not contain the URL. */
function parseURL(text: string, { isProd, networks }: URLRules): { url: URL } | { problem: string } {
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol)) return { problem: 'is not an http or https address' }
  if (url.username !== '' || url.password !== '') return { problem: 'contains a user or a password' }
  if (isProd && url.protocol !== 'https:') return { problem: 'is not https, which prod requires' }
  if (isAddress(url) && !networks.allows(addressOf(url))) {
    return { problem: 'is not a public address, and not in an allowed network' }
  }
  return { url }
}

/** Returns the endpoint, or the problem with it, without its URL and secrets. */
export function parseStored(stored: StoredEndpoint, rules: URLRules): Endpoint | { readonly problem: string } {
  const { target, name, caller, url, secrets } = stored
  if (!nameShape.test(name)) return { problem: 'its name does not consist of lower-case letters, digits and hyphens' }
  const parsed = parseURL(url, rules)
  if ('problem' in parsed) return { problem: `its URL ${parsed.problem}` }
  const keys = secrets.map(parseSecret)
  const valid = keys.filter(key => key !== undefined)
  if (valid.length < keys.length) return { problem: 'one of its secrets is not whsec_ and 24 to 64 bytes in base64' }
  if (valid.length === 0) return { problem: 'it has no secret' }
  return { target, ...(caller !== undefined && { caller }), url: parsed.url, keys: valid }
}

const isNetwork = (text: string) => parseNetwork(text) !== undefined

/**
 * Checks the network settings. Endpoints in the database need them too, so they are checked for any
 * choice of sinks.
 */
export function networkProblems(settings: NetworkSettings): string[] {
  const advice = 'which is not a network: set it to networks like 10.1.0.0/16'
  return networkSettings.flatMap(setting =>
    settings[setting].filter(text => !isNetwork(text)).map(text => `${setting} has "${text}", ${advice}`)
  )
}

function splitPair(text: string): { name: string; value: string } {
  const at = text.indexOf('=')
  return at < 0 ? { name: '', value: text } : { name: text.slice(0, at).trim(), value: text.slice(at + 1).trim() }
}

const addressOf = ({ hostname }: URL) => hostname.replace(/^\[(.*)\]$/, '$1')
const isAddress = ({ hostname }: URL) => hostname.startsWith('[') || /^[\d.]+$/.test(hostname)
