import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Type } from 'typebox'
import { ConfigError } from './config-error.ts'
import { kafkaConnection } from './kafka-connection.ts'
import { parseConfig } from './parse-config.ts'
import { databaseSettings, httpPort, kafkaSettings, registrySettings, serviceSettings } from './settings.ts'

const everything = Type.Object({
  ...serviceSettings,
  ...kafkaSettings,
  ...registrySettings,
  ...databaseSettings('nobody')
})
const database = { DATABASE_URL: 'postgres://me:secret@127.0.0.1:5432/orderly' }

function problemsOf(environment: Record<string, string>, schema = everything): readonly string[] {
  try {
    parseConfig(schema, { ...database, ...environment })
  } catch (error) {
    assert.ok(error instanceof ConfigError)
    assert.equal(error.exitCode, 78)
    return error.problems
  }
  return []
}

test('the dev profile requires only the database address', () => {
  const config = parseConfig(everything, database)
  assert.equal(config.ORDERLY_PROFILE, 'dev')
  assert.deepEqual(config.KAFKA_BROKERS, ['127.0.0.1:9092'])
  assert.equal(config.HTTP_HOST, '127.0.0.1')
})

test('the prod profile requires addresses, secrets and the instance name', () => {
  const names = problemsOf({ ORDERLY_PROFILE: 'prod', DATABASE_URL: '' }).map(problem => problem.split(' ')[0])
  assert.deepEqual(names.sort(), ['DATABASE_URL', 'INSTANCE_ID', 'KAFKA_BROKERS', 'SCHEMA_REGISTRY_URL'])
})

test('each invalid setting is reported with its value, the expected form and the fix', () => {
  const problems = problemsOf({ HTTP_PORT: '80a', LOG_LEVEL: 'loud', KAFKA_BROKERS: 'localhost', KAFKA_TLS: 'yes' })
  assert.equal(problems.length, 4)
  assert.match(problems[0] ?? '', /^HTTP_PORT is "80a", .*: set it to the port to listen on.*from 0 to 65535/)
  assert.match(problems[1] ?? '', /^LOG_LEVEL is "loud", .*one of trace, debug/)
  assert.match(problems[2] ?? '', /^KAFKA_BROKERS is "localhost", .*host:port/)
  assert.match(problems[3] ?? '', /^KAFKA_TLS is "yes", .*true or false/)
})

test('ports out of range, fractions and empty lists are rejected', () => {
  for (const port of ['65536', '-1', '1.5', '0x10', '1e3'])
    assert.equal(problemsOf({ HTTP_PORT: port }).length, 1, port)
  assert.equal(problemsOf({ KAFKA_BROKERS: ' , ' }).length, 1)
})

test('an error about a secret does not show its value', () => {
  const [problem] = problemsOf({ DATABASE_URL: 'mysql://user:hunter2@host/db' })
  assert.match(problem ?? '', /^DATABASE_URL is set, but is invalid: /)
  assert.doesNotMatch(problem ?? '', /hunter2/)
})

test('a setting without the settings it requires is rejected with their names', () => {
  const problems = problemsOf({ KAFKA_SASL_MECHANISM: 'PLAIN', SCHEMA_REGISTRY_PASSWORD: 'secret' })
  assert.deepEqual(
    problems.map(problem => problem.split(':')[0]),
    [
      'KAFKA_SASL_USERNAME is needed because KAFKA_SASL_MECHANISM is set',
      'KAFKA_SASL_PASSWORD is needed because KAFKA_SASL_MECHANISM is set',
      'SCHEMA_REGISTRY_USERNAME is needed because SCHEMA_REGISTRY_PASSWORD is set'
    ]
  )
})

test('a certificate file is rejected while TLS is off', () => {
  const problems = problemsOf({ KAFKA_TLS_CA_FILE: '/dev/null' })
  assert.deepEqual(problems, ['KAFKA_TLS is needed because KAFKA_TLS_CA_FILE is set: set it to true'])
})

test('an unreadable file is reported with its path', () => {
  const problems = problemsOf({ KAFKA_TLS: 'true', KAFKA_TLS_CA_FILE: '/nonexistent/ca.pem' })
  assert.equal(problems.length, 1)
  assert.match(problems[0] ?? '', /^KAFKA_TLS_CA_FILE is "\/nonexistent\/ca.pem", which is not a readable file/)
})

test('a secret is read from a file, which must exist and exclude the plain variable', t => {
  const directory = mkdtempSync(join(tmpdir(), 'orderly-config-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const file = join(directory, 'database-url')
  writeFileSync(file, `${database.DATABASE_URL}\n`)
  const config = parseConfig(everything, { DATABASE_URL_FILE: file })
  assert.equal(config.DATABASE_URL, database.DATABASE_URL)
  const [missing] = problemsOf({ DATABASE_URL: '', DATABASE_URL_FILE: join(directory, 'gone') })
  assert.match(missing ?? '', /^DATABASE_URL_FILE is ".*gone", which is not a readable file/)
  assert.deepEqual(problemsOf({ DATABASE_URL_FILE: file }), [
    'DATABASE_URL and DATABASE_URL_FILE are both set: set one of them'
  ])
})

test('an empty variable counts as unset', () => {
  assert.equal(parseConfig(everything, { ...database, KAFKA_TLS_CA_FILE: '', HTTP_PORT: ' ' }).HTTP_PORT, 8080)
})

test('the parsed configuration and its lists are frozen', () => {
  const config = parseConfig(everything, { ...database, KAFKA_BROKERS: 'a:1, [::1]:2' })
  assert.deepEqual(config.KAFKA_BROKERS, ['a:1', '[::1]:2'])
  assert.ok(Object.isFrozen(config) && Object.isFrozen(config.KAFKA_BROKERS))
})

test('variables that the schema does not name are ignored', () => {
  assert.deepEqual(Object.keys(parseConfig(Type.Object({ HTTP_PORT: httpPort(1) }), { PATH: '/bin' })), ['HTTP_PORT'])
})

test('a Kafka connection with TLS and SASL contains the contents of the PEM files', t => {
  const directory = mkdtempSync(join(tmpdir(), 'orderly-config-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const file = (name: string, text: string): string => {
    writeFileSync(join(directory, name), text)
    return join(directory, name)
  }
  const config = parseConfig(Type.Object(kafkaSettings), {
    KAFKA_BROKERS: 'broker.example:9093',
    KAFKA_TLS: 'true',
    KAFKA_TLS_CA_FILE: file('ca.pem', '-----BEGIN CERTIFICATE-----\nca'),
    KAFKA_TLS_CERT_FILE: file('cert.pem', '-----BEGIN CERTIFICATE-----\ncert'),
    KAFKA_TLS_KEY_FILE: file('key.pem', '-----BEGIN PRIVATE KEY-----\nkey'),
    KAFKA_SASL_MECHANISM: 'SCRAM-SHA-512',
    KAFKA_SASL_USERNAME: 'orderly',
    KAFKA_SASL_PASSWORD: 'secret'
  })
  assert.deepEqual(kafkaConnection(config, 'order-1'), {
    brokers: ['broker.example:9093'],
    clientID: 'order-1',
    metadataMaxAgeMs: 10_000,
    tls: {
      ca: '-----BEGIN CERTIFICATE-----\nca',
      cert: '-----BEGIN CERTIFICATE-----\ncert',
      key: '-----BEGIN PRIVATE KEY-----\nkey'
    },
    sasl: { mechanism: 'SCRAM-SHA-512', username: 'orderly', password: 'secret' }
  })
  const wrong = { ...config, KAFKA_TLS_CA_FILE: file('der.pem', 'binary') }
  assert.throws(() => kafkaConnection(wrong, 'order-1'), /KAFKA_TLS_CA_FILE .* is not PEM/)
})
