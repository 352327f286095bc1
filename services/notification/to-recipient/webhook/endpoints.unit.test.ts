import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { type EndpointSettings, parseEndpoints } from './endpoints.ts'

const secret = () => `whsec_${randomBytes(32).toString('base64')}`
const parse = (settings: Partial<EndpointSettings>, isProd = false) =>
  parseEndpoints({ WEBHOOK_ALLOWED_NETWORKS: [], ...settings }, isProd)

test('each endpoint has its address and its own secrets, several while one is replaced', () => {
  const { endpoints, problems } = parse({
    WEBHOOK_URLS: ['shop=https://shop.example/hooks?a=b', 'erp=http://erp.example:8080/'],
    WEBHOOK_SECRETS: [`shop=${secret()}`, `erp=${secret()}`, `shop=${secret()}`]
  })
  assert.deepEqual(problems, [])
  assert.deepEqual(
    endpoints.map(({ name, url, keys }) => [name, url.href, keys.length]),
    [
      ['shop', 'https://shop.example/hooks?a=b', 2],
      ['erp', 'http://erp.example:8080/', 1]
    ]
  )
})

test('every problem is named at once, by its setting and entry, and no secret is shown', () => {
  const { problems } = parse({
    WEBHOOK_URLS: [
      'https://nameless.example',
      'ftp=ftp://shop.example',
      'twice=https://a.example',
      'twice=https://b.example',
      'user=https://me:password@c.example',
      'bare=https://d.example',
      'inside=http://169.254.169.254/latest',
      'short=http://2130706433/'
    ],
    WEBHOOK_SECRETS: [`nobody=${secret()}`, 'twice=topsecret', secret()],
    WEBHOOK_ALLOWED_NETWORKS: ['10.0.0.0/99']
  })
  const expected = [
    /^WEBHOOK_ALLOWED_NETWORKS has "10\.0\.0\.0\/99"/,
    /^WEBHOOK_URLS, entry 1: it has no name/,
    /^WEBHOOK_URLS, entry 2: "ftp" is no http or https address/,
    /^WEBHOOK_URLS, entry 4: the name "twice" is there twice/,
    /^WEBHOOK_URLS, entry 5: "user" has a user or a password in it/,
    /^WEBHOOK_URLS, entry 7: "inside" is no public address/,
    /^WEBHOOK_URLS, entry 8: "short" is no public address/,
    /^WEBHOOK_SECRETS, entry 1: it begins with no name that WEBHOOK_URLS has/,
    /^WEBHOOK_SECRETS, entry 2: the secret of "twice" is not whsec_/,
    /^WEBHOOK_SECRETS, entry 3: it begins with no name/,
    /^WEBHOOK_SECRETS has no secret for "bare"/
  ]
  assert.equal(problems.length, expected.length, problems.join('\n'))
  for (const [index, pattern] of expected.entries()) assert.match(problems[index] ?? '', pattern)
  assert.doesNotMatch(problems.join('\n'), /topsecret|password@|me:/)
})

test('prod demands https, and nothing at all is a problem of its own', () => {
  const settings = { WEBHOOK_URLS: ['shop=http://shop.example'], WEBHOOK_SECRETS: [`shop=${secret()}`] }
  assert.deepEqual(parse(settings).problems, [])
  assert.match(parse(settings, true).problems[0] ?? '', /"shop" is not https, which prod demands/)
  assert.match(parse({}).problems[0] ?? '', /^WEBHOOK_URLS is needed because NOTIFICATION_SINKS names webhook/)
})
