import { type LookupAddress, type LookupOptions, lookup as systemLookup } from 'node:dns'
import { isIP } from 'node:net'
import { Agent, buildConnector } from 'undici'
import { SinkError } from '../sink.ts'
import type { Networks } from './networks.ts'

export type Lookup = (
  hostname: string,
  options: LookupOptions & { readonly all: true },
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void
) => void

export interface GuardedAgentOptions {
  readonly networks: Networks
  readonly connectTimeoutMs: number
  readonly maxConnections: number
  readonly lookup?: Lookup
}

/**
 * Connects to allowed addresses only. The name is looked up once for each connection, inside of it, and the very addresses
 * that were checked are the ones that are connected to: there is no second look-up that could answer otherwise.
 */
export function createGuardedAgent(options: GuardedAgentOptions): Agent {
  const { networks, connectTimeoutMs, maxConnections, lookup = systemLookup } = options
  const connector = buildConnector({
    timeout: connectTimeoutMs,
    allowH2: false,
    lookup: (hostname, lookupOptions, callback) => {
      lookup(hostname, { ...lookupOptions, all: true }, (error, addresses) => {
        if (error !== null) return callback(error, [])
        // One forbidden answer is reason enough: nobody has such a name by accident.
        const forbidden = addresses.find(({ address }) => !networks.allows(address))
        if (forbidden !== undefined) return callback(forbiddenError(hostname, forbidden.address), [])
        const [first] = addresses
        if (first === undefined) return callback(new SinkError('NO_ADDRESS', `${hostname} has no address`, retry), [])
        return lookupOptions.all === true ? callback(null, addresses) : callback(null, first.address, first.family)
      })
    }
  })
  return new Agent({
    connections: maxConnections,
    maxHeaderSize: 16 * 1024,
    keepAliveTimeout: 10_000,
    connect(target, callback) {
      const hostname = target.hostname.replace(/^\[(.*)\]$/, '$1')
      // Nothing is looked up for an address.
      if (isIP(hostname) !== 0 && !networks.allows(hostname)) callback(forbiddenError(hostname, hostname), null)
      else connector(target, callback)
    }
  })
}

const retry = { retryable: true }

/** Tried again: the name may be mended, and until then nothing is connected to. */
function forbiddenError(hostname: string, address: string): SinkError {
  const what = hostname === address ? address : `${hostname} leads to ${address}, which`
  return new SinkError('ADDRESS_FORBIDDEN', `${what} is no public address (see WEBHOOK_ALLOWED_NETWORKS)`, retry)
}
