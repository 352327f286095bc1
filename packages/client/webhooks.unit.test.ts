import assert from 'node:assert/strict'
import { createHmac, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { verifyWebhook } from './index.ts'

const body =
  '{"type":"order.failed","timestamp":"2026-11-23T06:50:00.123Z","data":{"orderID":"1","userID":"ä","reason":"UNKNOWN_SKU","shortages":[]}}'
const nowMs = 1_800_000_000_000
const secretOf = (key: Buffer) => `whsec_${key.toString('base64')}`
const [oldKey, newKey] = [randomBytes(24), randomBytes(64)]

function requestOf(keys: readonly Buffer[], { sent = body, seconds = nowMs / 1_000 } = {}) {
  const signatures = keys.map(
    key => `v1,${createHmac('sha256', key).update(`e-1.${seconds}.${sent}`).digest('base64')}`
  )
  return {
    headers: {
      'webhook-id': 'e-1',
      'webhook-timestamp': String(seconds),
      'webhook-signature': signatures.join(' ')
    },
    body: sent
  }
}

test('the example of the reference libraries is valid', async () => {
  const { id, sentAtMs, event } = await verifyWebhook(
    {
      headers: {
        'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
        'webhook-timestamp': '1614265330',
        'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
      },
      body: '{"test": 2432232314}'
    },
    { secrets: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', nowMs: 1_614_265_330_000 }
  )
  assert.deepEqual([id, sentAtMs, event], ['msg_p5jXN8AQM9LWM0D4loKWxJek', 1_614_265_330_000, { test: 2432232314 }])
})

test('during a rotation, each pair of an old or new secret and signature is valid', async () => {
  const both = { secrets: [secretOf(oldKey), secretOf(newKey)], nowMs }
  for (const keys of [[oldKey], [newKey], [oldKey, newKey]])
    assert.equal((await verifyWebhook(requestOf(keys), both)).event.type, 'order.failed')
  for (const key of [oldKey, newKey])
    assert.ok(await verifyWebhook(requestOf([oldKey, newKey]), { secrets: secretOf(key), nowMs }))
})

test('headers of fetch, of Node and in any case are read, and a body may be bytes', async () => {
  const { headers } = requestOf([oldKey])
  const upperCase = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toUpperCase(), value]))
  for (const each of [new Headers(headers), upperCase, { ...headers, host: undefined, accept: ['a', 'b'] }])
    assert.ok(await verifyWebhook({ headers: each, body: Buffer.from(body) }, { secrets: secretOf(oldKey), nowMs }))
})

test('a request that differs from the signed one is refused, with a message that names the header', async () => {
  const secrets = secretOf(oldKey)
  const valid = requestOf([oldKey])
  const withHeader = (name: string, value: string | string[] | undefined) => ({
    ...valid,
    headers: { ...valid.headers, [name]: value }
  })
  const refused: [Parameters<typeof verifyWebhook>[0], string, RegExp][] = [
    [requestOf([newKey]), 'SIGNATURE_INVALID', /webhook-signature/],
    [{ ...valid, body: `${body} ` }, 'SIGNATURE_INVALID', /webhook-signature/],
    [withHeader('webhook-id', 'e-2'), 'SIGNATURE_INVALID', /webhook-signature/],
    [withHeader('webhook-timestamp', String(nowMs / 1_000 + 1)), 'SIGNATURE_INVALID', /webhook-signature/],
    [withHeader('webhook-signature', 'v1,%%% v1a,AAAA v1'), 'SIGNATURE_INVALID', /webhook-signature/],
    [
      withHeader('webhook-signature', `${'v1,AAAA '.repeat(10)}${valid.headers['webhook-signature']}`),
      'SIGNATURE_INVALID',
      /webhook-signature/
    ],
    [withHeader('webhook-id', undefined), 'HEADER_INVALID', /webhook-id/],
    [withHeader('webhook-id', ['e-1', 'e-1']), 'HEADER_INVALID', /webhook-id/],
    [withHeader('Webhook-Id', 'e-1'), 'HEADER_INVALID', /webhook-id/],
    [withHeader('webhook-timestamp', '1e9'), 'HEADER_INVALID', /webhook-timestamp/],
    [requestOf([oldKey], { sent: '{' }), 'BODY_INVALID', /JSON/]
  ]
  for (const [request, code, message] of refused)
    await assert.rejects(verifyWebhook(request, { secrets, nowMs }), {
      name: 'WebhookVerificationError',
      code,
      message
    })
})

test('a request older or newer than the tolerance is refused', async () => {
  const secrets = secretOf(oldKey)
  const at = (seconds: number, toleranceSeconds?: number) =>
    verifyWebhook(requestOf([oldKey], { seconds: nowMs / 1_000 + seconds }), {
      secrets,
      nowMs,
      ...(toleranceSeconds !== undefined && { toleranceSeconds })
    })
  for (const seconds of [-300, 300]) assert.ok(await at(seconds))
  await assert.rejects(at(-301), {
    code: 'TIMESTAMP_OUT_OF_RANGE',
    message: /301 s in the past, and 300 s are allowed/
  })
  await assert.rejects(at(301), { code: 'TIMESTAMP_OUT_OF_RANGE', message: /in the future/ })
  assert.ok(await at(-900, 900))
  await assert.rejects(at(0, -1), RangeError)
})

test('a malformed secret is refused by its index, and is not in the message', async () => {
  const [short, long] = [randomBytes(23), randomBytes(65)].map(secretOf) as [string, string]
  for (const wrong of ['', 'whsec_', short, long, `whsec_${'*'.repeat(40)}`, randomBytes(32).toString('base64')]) {
    const error = await verifyWebhook(requestOf([oldKey]), { secrets: [secretOf(oldKey), wrong], nowMs }).catch(e => e)
    assert.ok(error instanceof TypeError)
    assert.match(error.message, /^`secrets\[1\]` must be/)
    assert.ok(wrong.length < 8 || !error.message.includes(wrong))
  }
  await assert.rejects(verifyWebhook(requestOf([oldKey]), { secrets: [], nowMs }), TypeError)
})
