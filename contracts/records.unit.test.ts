import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { fetchedHeaders } from '@orderly/kafka/testing'
import fc from 'fast-check'
import { callerOf, ownerOfKey, type RecordOwner, recordKey, toRecord } from './records.ts'
import { createInMemoryRegistry } from './testing/in-memory-registry.ts'
import { orderCreated } from './testing/index.ts'
import { connectTopics } from './topics.ts'

const name = fc.string({ minLength: 1 }).filter(text => !text.includes('\u001f'))
const owner: fc.Arbitrary<RecordOwner> = fc
  .record({ userID: name, caller: fc.option(name, { nil: undefined }) }, { noNullPrototype: true })
  .map(({ userID, caller }) => (caller === undefined ? { userID } : { caller, userID }))

describe('record key', () => {
  test('the key is the caller, U+001F and the user id, or only the user id without a caller', () => {
    assert.equal(recordKey({ userID: 'ada', caller: 'berlin' }), 'berlin\u001fada')
    assert.equal(recordKey({ userID: 'ada' }), 'ada')
    assert.equal(recordKey({ userID: 'ada', caller: undefined }), 'ada')
  })

  test('the owner can be parsed from the key, so two owners never share a key', () => {
    fc.assert(fc.property(owner, given => assert.deepEqual(ownerOfKey(recordKey(given)), given)))
  })

  test('an owner whose key would be ambiguous is refused with the name of the field', () => {
    const refused: [RecordOwner, RegExp][] = [
      [{ userID: 'berlin\u001fada' }, /userID "berlin\\u001fada" contains U\+001F/],
      [{ userID: 'a\u001fb', caller: 'berlin' }, /userID/],
      [{ userID: 'b', caller: 'berlin\u001fa' }, /caller "berlin\\u001fa" contains U\+001F/],
      [{ userID: 'ada', caller: '' }, /caller of an order is empty/]
    ]
    for (const [given, message] of refused) assert.throws(() => recordKey(given), { code: 'EVENT_INVALID', message })
  })
})

test('the caller is part of the key and a header, and both omit it without a caller', async () => {
  const { ordersCreated } = await connectTopics(createInMemoryRegistry())
  const order = orderCreated({ userID: 'ada' })
  const owned = toRecord(ordersCreated, order, 'trace', { caller: 'berlin' })
  assert.equal(owned.key, 'berlin\u001fada')
  assert.equal(callerOf(fetchedHeaders(owned.headers as Record<string, string>)), 'berlin')
  const unowned = toRecord(ordersCreated, order, 'trace')
  assert.deepEqual(
    [unowned.key, Object.keys(unowned.headers)],
    ['ada', ['schema-fingerprint', 'event-id', 'content-type', 'traceparent']]
  )
})
