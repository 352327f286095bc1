import { createNetworks, parseNetwork } from './networks.ts'
import { parseSecret } from './signature.ts'

export interface Endpoint {
  readonly name: string
  readonly url: URL
  /** The newest first or last, as they were given: receivers try them all. */
  readonly keys: readonly Buffer[]
}

export interface EndpointSettings {
  readonly WEBHOOK_URLS?: readonly string[]
  readonly WEBHOOK_SECRETS?: readonly string[]
  readonly WEBHOOK_ALLOWED_NETWORKS: readonly string[]
}

const nameShape = /^[a-z0-9][a-z0-9-]{0,31}$/
const urlsAdvice = 'set it to the endpoints, shop=https://shop.example/hooks, separated by commas'
const secretsAdvice =
  'set it to a secret for each endpoint, shop=whsec_… (24 to 64 random bytes in base64), two while one is replaced by the other'

/** Endpoints as `name=url` and their secrets as `name=whsec_…`. Problems never show a secret. */
export function parseEndpoints(
  settings: EndpointSettings,
  isProd: boolean
): { endpoints: readonly Endpoint[]; problems: readonly string[] } {
  const { WEBHOOK_URLS: urls = [], WEBHOOK_SECRETS: secrets = [], WEBHOOK_ALLOWED_NETWORKS: allowed } = settings
  const problems: string[] = []
  if (urls.length === 0) problems.push(`WEBHOOK_URLS is needed because NOTIFICATION_SINKS names webhook: ${urlsAdvice}`)

  const isNetwork = (text: string) => parseNetwork(text) !== undefined
  for (const text of allowed) {
    if (isNetwork(text)) continue
    problems.push(`WEBHOOK_ALLOWED_NETWORKS has "${text}", which is no network: set it to networks like 10.1.0.0/16`)
  }
  const networks = createNetworks(allowed.filter(isNetwork))

  const endpoints = new Map<string, { name: string; url: URL; keys: Buffer[] }>()
  for (const [index, text] of urls.entries()) {
    const { name, value } = splitPair(text)
    const url = URL.parse(value)
    const complain = (what: string) => problems.push(`WEBHOOK_URLS, entry ${index + 1}: ${what}; ${urlsAdvice}`)
    if (!nameShape.test(name)) complain('it has no name of small letters, digits and hyphens before "="')
    else if (endpoints.has(name)) complain(`the name "${name}" is there twice`)
    else if (url === null || !/^https?:$/.test(url.protocol)) complain(`"${name}" is no http or https address`)
    else if (url.username !== '' || url.password !== '') complain(`"${name}" has a user or a password in it`)
    else if (isProd && url.protocol !== 'https:') complain(`"${name}" is not https, which prod demands`)
    else if (isAddress(url) && !networks.allows(addressOf(url))) {
      complain(`"${name}" is no public address, and WEBHOOK_ALLOWED_NETWORKS does not have it`)
    } else endpoints.set(name, { name, url, keys: [] })
  }

  for (const [index, text] of secrets.entries()) {
    const { name, value } = splitPair(text)
    const key = parseSecret(value)
    const complain = (what: string) => problems.push(`WEBHOOK_SECRETS, entry ${index + 1}: ${what}; ${secretsAdvice}`)
    if (!urls.some(url => splitPair(url).name === name)) complain('it begins with no name that WEBHOOK_URLS has')
    else if (key === undefined) complain(`the secret of "${name}" is not whsec_ and 24 to 64 bytes in base64`)
    else endpoints.get(name)?.keys.push(key)
  }
  for (const { name } of endpoints.values()) {
    if (secrets.some(secret => splitPair(secret).name === name)) continue
    problems.push(`WEBHOOK_SECRETS has no secret for "${name}": ${secretsAdvice}`)
  }
  return { endpoints: [...endpoints.values()], problems }
}

function splitPair(text: string): { name: string; value: string } {
  const at = text.indexOf('=')
  return at < 0 ? { name: '', value: text } : { name: text.slice(0, at).trim(), value: text.slice(at + 1).trim() }
}

const addressOf = ({ hostname }: URL) => hostname.replace(/^\[(.*)\]$/, '$1')
const isAddress = ({ hostname }: URL) => hostname.startsWith('[') || /^[\d.]+$/.test(hostname)
