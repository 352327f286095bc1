import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import type { StoredEndpoint } from '../../store/endpoints.ts'
import { type EndpointSettings, networkProblems, parseEndpoints, parseStored } from './endpoints.ts'
import { createNetworks } from './networks.ts'

const secret = () => `whsec_${randomBytes(32).toString('base64')}`
const networks = { WEBHOOK_ALLOWED_NETWORKS: [], WEBHOOK_CALLERS_ALLOWED_NETWORKS: [], WEBHOOK_FORBIDDEN_NETWORKS: [] }
const parse = (settings: Partial<EndpointSettings>, isProd = false) =>
  parseEndpoints({ ...networks, ...settings }, isProd)

test('each endpoint has its URL and its own secrets, of which there may be several', () => {
  const { endpoints, problems } = parse({
    WEBHOOK_URLS: ['shop=https://shop.example/hooks?a=b', 'erp=http://erp.example:8080/'],
    WEBHOOK_SECRETS: [`shop=${secret()}`, `erp=${secret()}`, `shop=${secret()}`]
  })
  assert.deepEqual(problems, [])
  assert.deepEqual(
    endpoints.map(({ target, url, keys }) => [target, url.href, keys.length]),
    [
      ['webhook:shop', 'https://shop.example/hooks?a=b', 2],
      ['webhook:erp', 'http://erp.example:8080/', 1]
    ]
  )
})

test('all problems are reported together by setting and entry, and no secret is shown', () => {
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
    /^WEBHOOK_URLS, entry 1: it does not start with a name/,
    /^WEBHOOK_URLS, entry 2: "ftp" is not an http or https address/,
    /^WEBHOOK_URLS, entry 4: the name "twice" is used twice/,
    /^WEBHOOK_URLS, entry 5: "user" contains a user or a password/,
    /^WEBHOOK_URLS, entry 7: "inside" is not a public address/,
    /^WEBHOOK_URLS, entry 8: "short" is not a public address/,
    /^WEBHOOK_SECRETS, entry 1: it does not start with a name from WEBHOOK_URLS/,
    /^WEBHOOK_SECRETS, entry 2: the secret of "twice" is not whsec_/,
    /^WEBHOOK_SECRETS, entry 3: it does not start with a name/,
    /^WEBHOOK_SECRETS has no secret for "bare"/
  ]
  assert.equal(problems.length, expected.length, problems.join('\n'))
  for (const [index, pattern] of expected.entries()) assert.match(problems[index] ?? '', pattern)
  assert.doesNotMatch(problems.join('\n'), /topsecret|password@|me:/)
})

test('prod requires https, and missing endpoints are reported', () => {
  const settings = { WEBHOOK_URLS: ['shop=http://shop.example'], WEBHOOK_SECRETS: [`shop=${secret()}`] }
  assert.deepEqual(parse(settings).problems, [])
  assert.match(parse(settings, true).problems[0] ?? '', /"shop" is not https, which prod requires/)
  assert.match(parse({}).problems[0] ?? '', /^WEBHOOK_URLS is needed because NOTIFICATION_SINKS names webhook/)
})

test('all network settings are checked, whichever sinks are chosen', () => {
  assert.deepEqual(networkProblems(networks), [])
  const wrong = Object.keys(networks).map((setting, index) => [setting, ['10.1.0.0/16', `wrong ${index}`]])
  const problems = networkProblems(Object.fromEntries(wrong))
  assert.deepEqual(
    problems.map(problem => problem.slice(0, problem.indexOf(','))),
    [
      'WEBHOOK_ALLOWED_NETWORKS has "wrong 0"',
      'WEBHOOK_CALLERS_ALLOWED_NETWORKS has "wrong 1"',
      'WEBHOOK_FORBIDDEN_NETWORKS has "wrong 2"'
    ]
  )
})

test('a stored endpoint is checked like one in the settings, and its problem shows neither URL nor secret', () => {
  const stored: StoredEndpoint = {
    ...{ target: 'webhook:berlin/shop', name: 'shop', caller: 'berlin', isDisabled: false },
    ...{ url: 'https://shop.example/hidden', secrets: [secret(), secret()] }
  }
  const rules = { isProd: true, networks: createNetworks() }
  const endpoint = parseStored(stored, rules)
  assert.ok('url' in endpoint)
  const { target, caller, url, keys } = endpoint
  assert.deepEqual([target, caller, url.href, keys.length], [stored.target, 'berlin', stored.url, 2])
  const wrong: [Partial<StoredEndpoint>, RegExp][] = [
    [{ name: 'Shop' }, /^its name does not consist of lower-case letters/],
    [{ url: 'hidden' }, /^its URL is not an http or https address$/],
    [{ url: 'http://shop.example/hidden' }, /^its URL is not https, which prod requires$/],
    [{ url: 'https://hidden:hidden@shop.example' }, /^its URL contains a user or a password$/],
    [{ url: 'https://168.63.129.16/hidden' }, /^its URL is not a public address, and not in an allowed network$/],
    [{ secrets: [] }, /^it has no secret$/],
    [{ secrets: [secret(), 'hidden'] }, /^one of its secrets is not whsec_/]
  ]
  for (const [fields, expected] of wrong) {
    const { problem } = parseStored({ ...stored, ...fields }, rules) as { problem: string }
    assert.match(problem, expected)
    assert.doesNotMatch(problem, /hidden/)
  }
})
