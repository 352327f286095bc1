import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createNetworks, parseNetwork } from './networks.ts'

const open = createNetworks()

/**
 * First and last address of every entry of the IANA special-purpose registries (IPv4 and IPv6, as
 * of 2026), of multicast, and of ranges that cloud platforms use.
 */
const specialPurpose: Readonly<Record<string, readonly string[]>> = {
  'this network': ['0.0.0.0', '0.255.255.255'],
  'private use': ['10.0.0.0', '10.255.255.255', '172.16.0.0', '172.31.255.255', '192.168.0.0', '192.168.255.255'],
  'shared address space': ['100.64.0.0', '100.127.255.255'],
  loopback: ['127.0.0.0', '127.0.0.1', '127.255.255.255', '::1'],
  'link local': ['169.254.0.0', '169.254.255.255', 'fe80::', 'fe80::1', 'febf:ffff::1'],
  'IETF protocol assignments': ['192.0.0.0', '192.0.0.8', '192.0.0.9', '192.0.0.10', '192.0.0.170', '192.0.0.255'],
  'IETF protocol assignments, IPv6': ['2001::', '2001:1::1', '2001:1::2', '2001:1::3', '2001:2::1', '2001:3::1'],
  'IETF protocol assignments, further': ['2001:4:112::1', '2001:10::1', '2001:20::1', '2001:30::1', '2001:1ff:ffff::1'],
  documentation: ['192.0.2.0', '192.0.2.255', '198.51.100.0', '198.51.100.255', '203.0.113.0', '203.0.113.255'],
  'documentation, IPv6': ['2001:db8::', '2001:db8:ffff:ffff:ffff:ffff:ffff:ffff', '3fff::', '3fff:fff:ffff::1'],
  AS112: ['192.31.196.0', '192.31.196.255', '192.175.48.0', '192.175.48.255', '2620:4f:8000::', '2620:4f:8000:ffff::1'],
  'automatic multicast tunneling': ['192.52.193.0', '192.52.193.255'],
  '6to4 relays and 6a44': ['192.88.99.0', '192.88.99.2', '192.88.99.255'],
  benchmarking: ['198.18.0.0', '198.19.255.255'],
  multicast: ['224.0.0.0', '239.255.255.255', 'ff00::', 'ff02::1', 'ffff:ffff::1'],
  'reserved and broadcast': ['240.0.0.0', '255.255.255.254', '255.255.255.255'],
  unspecified: ['::'],
  'IPv4-compatible': ['::127.0.0.1', '::8.8.8.8'],
  'IPv4-mapped': ['::ffff:127.0.0.1', '::ffff:8.8.8.8', '::ffff:7f00:1', '::ffff:a9fe:a9fe', '::FFFF:168.63.129.16'],
  'IPv4-translated': ['::ffff:0:127.0.0.1', '::ffff:0:7f00:1'],
  NAT64: ['64:ff9b::', '64:ff9b::7f00:1', '64:ff9b::169.254.169.254', '64:ff9b:1::', '64:ff9b:1:ffff::a00:1'],
  discard: ['100::', '100::ffff', '100:0:0:1::1'],
  Teredo: ['2001:0:4136:e378:8000:63bf:3fff:fdd2', '2001::1'],
  '6to4': ['2002:7f00:1::', '2002:a9fe:a9fe::1', '2002:808:808::1'],
  ISATAP: ['2606:4700::5efe:7f00:1', '2606:4700::200:5efe:127.0.0.1', '2606:4700:0:0:0:5EFE:a00:1'],
  'SRv6 segment identifiers': ['5f00::', '5f00:ffff::1'],
  'unique local': ['fc00::', 'fd12:3456::1', 'fdff:ffff::1'],
  'site local': ['fec0::1', 'feff::1'],
  'not assigned as global unicast': ['200::1', '1fff::1', '4000::1', 'e000::1'],
  'metadata of AWS': ['169.254.169.254', '169.254.170.2', 'fd00:ec2::254', 'fd00:ec2::23'],
  'metadata of Azure, and its agent': ['169.254.169.254', '168.63.129.16'],
  'metadata of other clouds': ['100.100.100.200', '192.0.0.192', '169.254.0.23', '169.254.42.42']
}

for (const [purpose, addresses] of Object.entries(specialPurpose)) {
  test(`${purpose} is refused`, () => {
    for (const address of addresses) assert.equal(open.allows(address), false, address)
  })
}

test('public addresses are allowed, including neighbours of special-purpose ranges', () => {
  const neighbours = ['9.255.255.255', '11.0.0.0', '100.63.255.255', '100.128.0.0', '126.255.255.255', '128.0.0.0']
  neighbours.push('168.63.129.15', '168.63.129.17', '169.253.255.255', '169.255.0.0', '172.15.255.255', '172.32.0.0')
  neighbours.push('191.255.255.255', '192.0.1.0', '192.0.3.0', '192.167.255.255', '192.169.0.0', '198.17.255.255')
  neighbours.push('198.20.0.0', '203.0.112.255', '203.0.114.0', '223.255.255.255', '1.1.1.1', '8.8.8.8')
  neighbours.push('2000::1', '2001:200::1', '2001:db7:ffff::1', '2001:db9::1', '2003::1', '2606:4700::1111', '3ffe::1')
  neighbours.push('2606:4700::5efe', '2606:4700::1:5efe:7f00:1', '2a00:1450:4001:81b::200e')
  for (const address of neighbours) assert.equal(open.allows(address), true, address)
})

test('text that is not an address in its usual form is refused', () => {
  const texts = ['', 'localhost', '127.1', '0x7f000001', '2130706433', '0177.0.0.1', '1.2.3.4.5', '1.2.3', ' 8.8.8.8']
  texts.push(
    '8.8.8.8 ',
    '8.8.8.8/32',
    '[2606:4700::1111]',
    'fe80::1%eth0',
    '2606:4700::1111%eth0',
    '::ffff:1.2.3',
    '1::2::3'
  )
  for (const text of texts) assert.equal(open.allows(text), false, JSON.stringify(text))
})

test('an IPv4 address inside an IPv6 address is refused', () => {
  const bytes = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255))
  fc.assert(
    fc.property(bytes, ([a, b, c, d]) => {
      const words = `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`
      const prefixes = ['::', '::ffff:', '::ffff:0:', '64:ff9b::', '64:ff9b:1::', '2606:4700::5efe:', '2001::']
      for (const prefix of prefixes) assert.equal(open.allows(`${prefix}${words}`), false)
      assert.equal(open.allows(`2002:${words}::1`), false)
    })
  )
})

test('allowed networks are allowed, and their neighbours are refused', () => {
  const networks = createNetworks({ allowed: ['10.1.0.0/16', '127.0.0.1', 'fd00:1::/32'] })
  for (const address of ['10.1.255.1', '127.0.0.1', 'fd00:1::9', '8.8.8.8']) {
    assert.equal(networks.allows(address), true, address)
  }
  for (const address of ['10.2.0.1', '127.0.0.2', 'fd00:2::9', '192.168.0.1', '::1']) {
    assert.equal(networks.allows(address), false, address)
  }
})

test('forbidden networks are refused in every notation, even if they are also allowed', () => {
  const networks = createNetworks({
    allowed: ['10.0.0.0/8'],
    forbidden: ['10.9.0.0/16', '8.8.8.0/24', '2606:4700::/32']
  })
  for (const address of ['10.9.1.1', '8.8.8.8', '::ffff:8.8.8.8', '::ffff:10.9.1.1', '2606:4700::1111']) {
    assert.equal(networks.allows(address), false, address)
  }
  for (const address of ['10.8.1.1', '8.8.9.8', '2606:4701::1']) assert.equal(networks.allows(address), true, address)
})

test('a network is an address with an optional valid prefix length', () => {
  for (const text of ['10.0.0.0/8', '1.2.3.4', '::1/128', 'fd00::/8']) assert.ok(parseNetwork(text), text)
  const wrong = ['', '10.0.0.0/33', '10.0.0/8', '::/129', '10.0.0.0/', '10.0.0.0/8/8', 'shop.example', 'fe80::1%1']
  for (const text of wrong) assert.equal(parseNetwork(text), undefined, text)
})
