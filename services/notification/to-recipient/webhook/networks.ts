import { BlockList, isIP } from 'node:net'

/**
 * Which addresses a webhook may lead to: those that are somebody's on the Internet (IANA's special-purpose registries,
 * RFC 6890), and what was allowed by name.
 */
export interface Networks {
  allows(address: string): boolean
}

const refusedIPv4 = [
  '0.0.0.0/8', // this network
  '10.0.0.0/8', // private
  '100.64.0.0/10', // shared, between a provider and its customers
  '127.0.0.0/8', // loopback
  '169.254.0.0/16', // link-local: the metadata of cloud providers
  '172.16.0.0/12', // private
  '192.0.0.0/24', // protocol assignments
  '192.0.2.0/24', // documentation
  '192.31.196.0/24', // AS112
  '192.52.193.0/24', // multicast tunnels
  '192.88.99.0/24', // 6to4 relays
  '192.168.0.0/16', // private
  '192.175.48.0/24', // AS112
  '198.18.0.0/15', // benchmarks
  '198.51.100.0/24', // documentation
  '203.0.113.0/24', // documentation
  '224.0.0.0/4', // multicast
  '240.0.0.0/4' // reserved, and broadcast
]

/** Global unicast is 2000::/3; everything outside of it (loopback, mapped, unique-local, link-local, NAT64) is refused. */
const globalIPv6 = '2000::/3'

const refusedIPv6 = [
  '2001::/23', // protocol assignments; Teredo, which holds an IPv4 address
  '2001:db8::/32', // documentation
  '2002::/16', // 6to4, which holds an IPv4 address
  '2620:4f:8000::/48', // AS112
  '3fff::/20' // documentation
]

const refused = listOf([...refusedIPv4, ...refusedIPv6])
const global = listOf([globalIPv6])

/** @param allowed networks as `parseNetwork` takes them */
export function createNetworks(allowed: readonly string[]): Networks {
  const exceptions = listOf(allowed)
  return {
    allows(address) {
      const family = isIP(address)
      if (family === 0 || address.includes('%')) return false
      const type = family === 4 ? 'ipv4' : 'ipv6'
      if (exceptions.check(address, type)) return true
      return !refused.check(address, type) && (family === 4 || global.check(address, type))
    }
  }
}

interface Network {
  readonly address: string
  readonly prefix: number
  readonly type: 'ipv4' | 'ipv6'
}

/** `10.1.0.0/16`, `fd00::/8` or one address. */
export function parseNetwork(text: string): Network | undefined {
  const [address = '', bits, ...more] = text.split('/')
  const family = isIP(address)
  const longest = family === 4 ? 32 : 128
  const prefix = bits === undefined ? longest : /^\d{1,3}$/.test(bits) ? Number(bits) : Number.NaN
  if (family === 0 || more.length > 0 || !(prefix <= longest) || address.includes('%')) return undefined
  return { address, prefix, type: family === 4 ? 'ipv4' : 'ipv6' }
}

function listOf(networks: readonly string[]): BlockList {
  const list = new BlockList()
  for (const text of networks) {
    const network = parseNetwork(text)
    if (network === undefined) throw new RangeError(`${text} is no network`)
    list.addSubnet(network.address, network.prefix, network.type)
  }
  return list
}
