import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assertValidConnection, type KafkaConnection } from './connection.ts'

const base = { brokers: ['127.0.0.1:9092'], clientID: 'test' }
const token = { mechanism: 'OAUTHBEARER', token: () => 'secret' } as const
const password = { mechanism: 'PLAIN', username: 'ada', password: 'secret' } as const

test('complete connections are valid', () => {
  const tls = { ca: '-----BEGIN CERTIFICATE-----', rejectUnauthorized: false }
  for (const more of [{}, { tls: {} }, { tls, sasl: password }, { sasl: token }, { metadataMaxAgeMs: 1_000 }])
    assertValidConnection({ ...base, ...more })
  assertValidConnection({ ...base, sasl: { ...token, extensions: { logicalCluster: 'lkc-1' } } })
})

test('an unusable value is refused with the name of its option, and credentials are not shown', () => {
  const cases: [unknown, RegExp][] = [
    [undefined, /option connection must be/],
    [{ clientID: 'x' }, /option connection\.brokers must be a list of at least one host:port \(got undefined\)/],
    [{ ...base, brokers: [] }, /connection\.brokers/],
    [{ ...base, brokers: [7] }, /connection\.brokers/],
    [{ ...base, clientID: '' }, /connection\.clientID must be text that is not empty \(got ""\)/],
    [{ ...base, metadataMaxAgeMs: 0 }, /connection\.metadataMaxAgeMs must be a positive integer \(got 0\)/],
    [{ ...base, tls: true }, /connection\.tls must be an object, \{\} for TLS alone \(got true\)/],
    [{ ...base, tls: { key: Buffer.from('secret') } }, /connection\.tls\.key must be text in PEM format/],
    [{ ...base, sasl: 'PLAIN' }, /connection\.sasl must be an object/],
    [
      { ...base, sasl: { username: 'ada' } },
      /connection\.sasl\.mechanism must be 'PLAIN' or .*'OAUTHBEARER' \(got null\)/
    ],
    [{ ...base, sasl: { ...password, mechanism: 'GSSAPI' } }, /connection\.sasl\.mechanism .*\(got "GSSAPI"\)/],
    [{ ...base, sasl: { ...password, password: 7 } }, /connection\.sasl\.password must be text/],
    [{ ...base, sasl: { ...token, token: 'secret' } }, /connection\.sasl\.token must be a function/],
    [
      { ...base, sasl: { ...token, extensions: { auth: 'x' } } },
      /connection\.sasl\.extensions must be .*\(got "auth"\)/
    ],
    [{ ...base, sasl: { ...token, extensions: { a: '\u0001' } } }, /connection\.sasl\.extensions/]
  ]
  for (const [connection, message] of cases) {
    assert.throws(
      () => assertValidConnection(connection as KafkaConnection),
      (error: Error & { code?: string }) => {
        assert.equal(error.code, 'INVALID_OPTION')
        assert.match(error.message, message)
        assert.doesNotMatch(error.message, /secret/)
        return true
      }
    )
  }
})
