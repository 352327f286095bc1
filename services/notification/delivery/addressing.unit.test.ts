import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { emailAddressOf, messageIDOf } from './addressing.ts'

test('the template turns a user id into an address, or the user id is the address', () => {
  assert.equal(emailAddressOf({ userID: 'ada' }, '{userID}@example.com'), 'ada@example.com')
  assert.equal(emailAddressOf({ userID: 'ada.l+x' }, '{userID}@mail.example.com'), 'ada.l+x@mail.example.com')
  assert.equal(emailAddressOf({ userID: 'ada@example.com' }, '{userID}'), 'ada@example.com')
  assert.equal(emailAddressOf({ userID: 'ada' }, 'orders+{userID}@example.com'), 'orders+ada@example.com')
})

test('with {caller} in the template, equal user ids of two callers have two addresses, and a user without a caller has none', () => {
  const template = '{userID}@{caller}.example.com'
  assert.equal(emailAddressOf({ userID: 'ada', caller: 'berlin' }, template), 'ada@berlin.example.com')
  assert.equal(emailAddressOf({ userID: 'ada', caller: 'paris' }, template), 'ada@paris.example.com')
  assert.equal(emailAddressOf({ userID: 'ada' }, template), undefined)
  assert.equal(emailAddressOf({ userID: '{caller}', caller: 'berlin' }, template), undefined)
  assert.equal(emailAddressOf({ userID: 'ada', caller: 'x_y' }, template), undefined, 'x_y is not a part of a domain')
  assert.equal(emailAddressOf({ userID: 'ada', caller: '{userID}' }, template), undefined)
})

test('no user id results in an address of another domain or in several addresses', () => {
  const hostile = [
    'eve@evil.example',
    'eve@evil.example,x',
    'eve%evil.example',
    'evil.example!eve',
    '"eve"',
    'eve\r\nRCPT TO:<x@y>',
    'a b',
    '<eve>',
    '',
    '.a',
    'a..b',
    'ü',
    'x'.repeat(65)
  ]
  for (const userID of hostile) assert.equal(emailAddressOf({ userID }, '{userID}@example.com'), undefined, userID)
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), userID => {
      const address = emailAddressOf({ userID }, '{userID}@example.com')
      if (address !== undefined) assert.match(address, /^[\w.+=~-]+@example\.com$/)
    })
  )
})

test('the message id is the same for the same event and recipient, and differs otherwise', () => {
  const id = messageIDOf('InventoryReserved-1', 'ada@example.com', 'shop.example')
  assert.match(id, /^<[0-9a-f]{40}@shop\.example>$/)
  assert.equal(id, messageIDOf('InventoryReserved-1', 'ada@example.com', 'shop.example'))
  assert.notEqual(id, messageIDOf('InventoryReserved-1', 'bob@example.com', 'shop.example'))
  assert.notEqual(id, messageIDOf('InventoryReserved-2', 'ada@example.com', 'shop.example'))
})
