import assert from 'node:assert/strict'
import { test } from 'node:test'
import { expiryRequestID, keyedRequestID, unnamedRequestID } from './request-id.ts'

const keyed = { caller: 'berlin', key: 'k', orderID: 'o-1', change: 'cancel' }

test('request ids are the same in every process', () => {
  assert.equal(keyedRequestID(keyed), '0d1677dd-0469-82cf-99b0-7b6c94534d81')
  assert.equal(expiryRequestID('o-1', 1_700_000_000_000), 'ee57735f-bdd5-865b-9139-46dab5a554e3')
})

test('requests that differ in any part have different ids, even if the concatenated parts are equal', () => {
  const ids = [
    keyedRequestID(keyed),
    keyedRequestID({ ...keyed, caller: 'paris' }),
    keyedRequestID({ ...keyed, key: 'l' }),
    keyedRequestID({ ...keyed, orderID: 'o-2' }),
    keyedRequestID({ ...keyed, change: 'confirm' }),
    keyedRequestID({ ...keyed, caller: 'berlink', key: '' }),
    expiryRequestID('o-1', 1),
    expiryRequestID('o-1', 2),
    unnamedRequestID('o-1', 'cancel', 1),
    unnamedRequestID('o-1', 'cancel', 2)
  ]
  assert.equal(new Set(ids).size, ids.length)
  for (const id of ids) assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
})
