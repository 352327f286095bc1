import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { Webhook } from 'standardwebhooks'
import { parseSecret, sign, webhookIDOf } from './signature.ts'

const secretOf = (key: Uint8Array) => `whsec_${Buffer.from(key).toString('base64')}`
const anyKey = fc.uint8Array({ minLength: 24, maxLength: 64 })

test('the signature follows the specification for the id, the time and the body', () => {
  // Example from the reference libraries.
  const key = parseSecret('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw')
  assert.ok(key)
  const id = 'msg_p5jXN8AQM9LWM0D4loKWxJek'
  assert.equal(
    sign(id, 1_614_265_330, '{"test": 2432232314}', [key]),
    'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
  )
})

test('a receiver that knows any of the secrets can verify the signature with the reference library', () => {
  fc.assert(
    fc.property(fc.array(anyKey, { minLength: 1, maxLength: 3 }), fc.json(), fc.uuid(), (keys, body, id) => {
      const seconds = Math.floor(Date.now() / 1000)
      const headers = {
        'webhook-id': id,
        'webhook-timestamp': String(seconds),
        'webhook-signature': sign(id, seconds, body, keys.map(Buffer.from))
      }
      for (const key of keys) assert.deepEqual(new Webhook(secretOf(key)).verify(body, headers), JSON.parse(body))
      assert.throws(() => new Webhook(secretOf(randomBytes(32))).verify(body, headers))
    }),
    { numRuns: 50 }
  )
})

test('a secret is whsec_ and 24 to 64 bytes in base64', () => {
  fc.assert(fc.property(anyKey, key => assert.deepEqual(parseSecret(secretOf(key)), Buffer.from(key))))
  const wrong = [
    '',
    'whsec_',
    randomBytes(32).toString('base64'),
    secretOf(randomBytes(23)),
    secretOf(randomBytes(65)),
    `whsec_${'*'.repeat(40)}`,
    `whsk_${randomBytes(32).toString('base64')}`
  ]
  for (const text of wrong) assert.equal(parseSecret(text), undefined, text)
})

test('a webhook id is stable for an event, valid in a header, and contains no full stop', () => {
  assert.equal(webhookIDOf('InventoryReserved-0198-a_b'), 'InventoryReserved-0198-a_b')
  const ids = new Map<string, string>()
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), eventID => {
      const id = webhookIDOf(eventID)
      assert.match(id, /^[A-Za-z0-9_-]{1,200}$/)
      assert.equal(ids.get(id) ?? eventID, eventID)
      ids.set(id, eventID)
    })
  )
})
