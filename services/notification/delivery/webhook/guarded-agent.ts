import { type LookupAddress, type LookupOptions, lookup as systemLookup } from 'node:dns'
import { Agent as HTTPAgent } from 'node:http'
import { Agent as HTTPSAgent } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import { SinkError } from '../sink.ts'
import type { Networks } from './networks.ts'

export type Lookup = (
  hostname: string,
  options: LookupOptions & { readonly all: true },
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void
) => void

export interface GuardedAgentOptions {
  readonly isTLS: boolean
  readonly networks: Networks
  readonly maxConnections: number
  readonly lookup?: Lookup
}

const idleMs = 10_000

/**
 * Creates an agent that connects to allowed addresses only. Each connection resolves the name once
 * and connects to one of the addresses that were checked, so a second lookup cannot return a
 * different address. Proxies from the environment are not used.
 */
export function createGuardedAgent({ isTLS, networks, maxConnections, lookup }: GuardedAgentOptions): HTTPAgent {
  const pool = { keepAlive: true, maxSockets: maxConnections, maxFreeSockets: maxConnections, timeout: idleMs }
  // The agent passes `lookup` to every connection.
  const options = { ...pool, lookup: guardedLookup(networks, lookup ?? systemLookup) }
  const agent = isTLS ? new HTTPSAgent(options) : new HTTPAgent(options)
  const connect = agent.createConnection.bind(agent)
  agent.createConnection = (target, callback) => {
    const { host } = target
    // Node does not call `lookup` for an IP address.
    if (typeof host !== 'string' || isIP(host) === 0 || networks.allows(host)) return connect(target, callback)
    callback?.(forbiddenError(host, host), undefined as never)
    return undefined
  }
  return agent
}

function guardedLookup(networks: Networks, lookup: Lookup): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return callback(error, [])
      // A name with a single forbidden address is refused: a legitimate public name has none.
      const forbidden = addresses.find(({ address }) => !networks.allows(address))
      if (forbidden !== undefined) return callback(forbiddenError(hostname, forbidden.address), [])
      const [first] = addresses
      if (first === undefined) return callback(new SinkError('NO_ADDRESS', `${hostname} has no address`, retry), [])
      return options.all === true ? callback(null, addresses) : callback(null, first.address, first.family)
    })
  }
}

const retry = { retryable: true }

/**
 * Returns the error for a forbidden address. It is retryable, because the name may be corrected;
 * until then, no connection is made.
 */
function forbiddenError(hostname: string, address: string): SinkError {
  const what = hostname === address ? address : `${hostname} leads to ${address}, which`
  return new SinkError('ADDRESS_FORBIDDEN', `${what} is not a public address that webhooks may be sent to`, retry)
}
