import { BlockList, isIP } from 'node:net'
import ipaddr from 'ipaddr.js'

/**
 * The addresses that a webhook may be sent to: public unicast addresses that are not forbidden, and
 * other addresses that are allowed.
 *
 * An address is public if neither of two lists marks it as special-purpose. One list is the ranges
 * of `ipaddr.js`, which follows the IANA registries. The other is below, and adds ranges that the
 * registries lack. So an outdated library does not open a hole.
 */
export interface Networks {
  allows(address: string): boolean
}

export interface NetworkRules {
  /** Networks, as accepted by `parseNetwork`, that are allowed although they are not public. */
  readonly allowed?: readonly string[]
  /** Networks that are forbidden although they are public. */
  readonly forbidden?: readonly string[]
}

/**
 * Special-purpose ranges: the IANA IPv4 registry (RFC 6890), multicast, and addresses of cloud
 * platforms.
 */
const specialIPv4 = [
  '0.0.0.0/8', // this network
  '10.0.0.0/8', // private use
  '100.64.0.0/10', // shared address space; 100.100.100.200: metadata of Alibaba Cloud
  '127.0.0.0/8', // loopback
  '168.63.129.16/32', // the virtual machine agent of Azure: a public address that each host answers
  '169.254.0.0/16', // link local; 169.254.169.254: metadata of most cloud platforms
  '172.16.0.0/12', // private use
  '192.0.0.0/24', // IETF protocol assignments
  '192.0.2.0/24', // documentation
  '192.31.196.0/24', // AS112
  '192.52.193.0/24', // automatic multicast tunneling
  '192.88.99.0/24', // 6to4 relay anycast, 6a44
  '192.168.0.0/16', // private use
  '192.175.48.0/24', // AS112
  '198.18.0.0/15', // benchmarking
  '198.51.100.0/24', // documentation
  '203.0.113.0/24', // documentation
  '224.0.0.0/4', // multicast
  '240.0.0.0/4' // reserved, limited broadcast
]

/**
 * Global unicast. It excludes loopback, IPv4-mapped and IPv4-compatible addresses, NAT64
 * (64:ff9b::/96, 64:ff9b:1::/48), discard (100::/64), SRv6 (5f00::/16), unique local
 * (fd00:ec2::254: metadata of AWS), link local, site local and multicast.
 */
const globalIPv6 = '2000::/3'

/** Special-purpose ranges within global unicast, from the IANA IPv6 registry. */
const specialIPv6 = [
  '2001::/23', // IETF protocol assignments; Teredo (2001::/32), which embeds IPv4 addresses
  '2001:db8::/32', // documentation
  '2002::/16', // 6to4, which embeds an IPv4 address
  '2620:4f:8000::/48', // AS112
  '3fff::/20' // documentation
]

const special = listOf([...specialIPv4, ...specialIPv6])
const global = listOf([globalIPv6])

export function createNetworks({ allowed = [], forbidden = [] }: NetworkRules = {}): Networks {
  const exceptions = listOf(allowed)
  const refused = listOf(forbidden)
  return {
    allows(address) {
      const family = isIP(address)
      if (family === 0 || address.includes('%')) return false
      const type = family === 4 ? 'ipv4' : 'ipv6'
      if (refused.check(address, type)) return false
      return exceptions.check(address, type) || isPublic(address, type)
    }
  }
}

function isPublic(address: string, type: 'ipv4' | 'ipv6'): boolean {
  if (special.check(address, type) || ipaddr.parse(address).range() !== 'unicast') return false
  return type === 'ipv4' || (global.check(address, type) && !isISATAP(address))
}

/**
 * Returns true for interface identifiers of ISATAP (RFC 5214), which embed an IPv4 address under
 * any prefix.
 */
function isISATAP(address: string): boolean {
  const [, , , , fifth, sixth] = ipaddr.IPv6.parse(address).parts
  return sixth === 0x5efe && (fifth === 0 || fifth === 0x200)
}

interface Network {
  readonly address: string
  readonly prefix: number
  readonly type: 'ipv4' | 'ipv6'
}

/** Parses `10.1.0.0/16`, `fd00::/8` or a single address. */
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
    if (network === undefined) throw new RangeError(`${text} is not a network`)
    list.addSubnet(network.address, network.prefix, network.type)
  }
  return list
}
