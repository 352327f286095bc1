import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createNetworks, parseNetwork } from './networks.ts'

const open = createNetworks([])

test('addresses of the public Internet are allowed', () => {
  for (const address of ['1.1.1.1', '8.8.8.8', '93.184.216.34', '172.15.255.255', '172.32.0.1', '2606:4700::1111']) {
    assert.equal(open.allows(address), true, address)
  }
})

test('private, loopback, link-local, unique-local, mapped, translated and reserved addresses are refused', () => {
  const refused = [
    ...['0.0.0.0', '10.1.2.3', '100.64.0.1', '127.0.0.1', '127.255.255.255', '169.254.169.254', '172.16.0.1'],
    ...['192.168.1.1', '192.0.0.8', '192.0.2.1', '198.18.0.1', '198.51.100.7', '203.0.113.9', '224.0.0.1'],
    ...['240.0.0.1', '255.255.255.255'],
    ...['::', '::1', '::ffff:127.0.0.1', '::ffff:8.8.8.8', '::ffff:7f00:1', '::127.0.0.1', '64:ff9b::7f00:1'],
    ...['fe80::1', 'fe80::1%eth0', 'fc00::1', 'fd12:3456::1', 'fec0::1', 'ff02::1', '2001:db8::1', '2002:7f00:1::'],
    ...['2001::1', '100::1', '3fff::1', '4000::1'],
    ...['', 'localhost', '127.1', '0x7f000001', '1.2.3.4.5']
  ]
  for (const address of refused) assert.equal(open.allows(address), false, address)
})

test('no IPv4 address is let through in the clothes of an IPv6 one', () => {
  const bytes = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255))
  fc.assert(
    fc.property(bytes, ([a, b, c, d]) => {
      const words = `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`
      for (const prefix of ['::', '::ffff:', '::ffff:0:', '64:ff9b::', '64:ff9b:1::']) {
        assert.equal(open.allows(`${prefix}${words}`), false)
      }
      assert.equal(open.allows(`2002:${words}::1`), false)
    })
  )
})

test('what is allowed by name is allowed, and nothing beside it', () => {
  const networks = createNetworks(['10.1.0.0/16', '127.0.0.1', 'fd00:1::/32'])
  for (const address of ['10.1.255.1', '127.0.0.1', 'fd00:1::9', '8.8.8.8']) {
    assert.equal(networks.allows(address), true, address)
  }
  for (const address of ['10.2.0.1', '127.0.0.2', 'fd00:2::9', '192.168.0.1', '::1']) {
    assert.equal(networks.allows(address), false, address)
  }
})

test('a network is an address with or without a length that fits', () => {
  for (const text of ['10.0.0.0/8', '1.2.3.4', '::1/128', 'fd00::/8']) assert.ok(parseNetwork(text), text)
  for (const text of [
    '',
    '10.0.0.0/33',
    '10.0.0/8',
    '::/129',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    'shop.example',
    'fe80::1%1'
  ]) {
    assert.equal(parseNetwork(text), undefined, text)
  }
})
