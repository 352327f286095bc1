import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { findStack } from './find-stack.ts'

const running = () => ({
  pid: 42,
  addresses: { KAFKA_BROKERS: '127.0.0.1:19092', INVENTORY_URL: 'http://127.0.0.1:18081' }
})
const none = () => undefined

describe('findStack', () => {
  test('the addresses of the running stack are the defaults', () => {
    const { environment, description } = findStack({}, running)
    assert.equal(environment.KAFKA_BROKERS, '127.0.0.1:19092')
    assert.equal(environment.INVENTORY_URL, 'http://127.0.0.1:18081')
    assert.equal(description, 'stack of this checkout (process 42, Kafka 127.0.0.1:19092)')
  })

  test('an address of the environment that differs from the running stack is refused', () => {
    for (const [name, value] of [
      ['INVENTORY_URL', 'http://127.0.0.1:8081'],
      ['ORDERLY_INVENTORY_PORT', '8081']
    ] as const) {
      assert.throws(() => findStack({ [name]: value }, running), {
        message: new RegExp(
          `INVENTORY_URL is "http://127\\.0\\.0\\.1:8081".*, but the stack .* "http://127\\.0\\.0\\.1:18081": unset ${name},`
        )
      })
    }
    findStack({ INVENTORY_URL: 'http://127.0.0.1:18081/' }, running)
  })

  test('the address of Kafka Connect has its password, which is not compared or shown', () => {
    const stack = () => ({ pid: 42, addresses: { CONNECT_URL: 'http://orderly:secret@127.0.0.1:18084' } })
    const { environment } = findStack({ ORDERLY_CONNECT_PORT: '18084' }, stack)
    assert.equal(environment.CONNECT_URL, 'http://orderly:secret@127.0.0.1:18084')
    assert.throws(() => findStack({ CONNECT_URL: 'http://ops:hidden@127.0.0.1:8084' }, stack), {
      message: /^(?!.*(secret|hidden)).*CONNECT_URL is "http:\/\/127\.0\.0\.1:8084"/s
    })
  })

  test('ORDERLY_PORT_BASE counts as an address of the environment', () => {
    const { environment } = findStack({ ORDERLY_PORT_BASE: '19092' }, () => ({
      pid: 42,
      addresses: { KAFKA_BROKERS: '127.0.0.1:19092' }
    }))
    assert.equal(environment.KAFKA_BROKERS, '127.0.0.1:19092')
    assert.throws(() => findStack({ ORDERLY_PORT_BASE: '20000' }, running), {
      message: /KAFKA_BROKERS is "127\.0\.0\.1:20000" \(by ORDERLY_PORT_BASE\), but .*: unset ORDERLY_PORT_BASE,/
    })
  })

  test('a database that is not the one of the running stack is refused, without its password', () => {
    const stack = () => ({ ...running(), database: 'postgres://127.0.0.1:15432/orderly' })
    const { requireDatabase } = findStack({ DATABASE_URL: 'postgres://a:secret@db.example/orderly' }, stack)
    requireDatabase('DATABASE_URL', 'postgres://a:secret@localhost:15432/orderly?sslmode=disable')
    assert.throws(() => requireDatabase('DATABASE_URL', 'postgres://a:secret@db.example/orderly'), {
      message:
        /^(?!.*secret).*DATABASE_URL is "postgres:\/\/db\.example:5432\/orderly", but the stack .* has "postgres:\/\/127\.0\.0\.1:15432\/orderly"/s
    })
    assert.throws(() => requireDatabase('DATABASE_OWNER_URL', 'postgres://a:b@127.0.0.1:54320/orderly'), {
      message: /DATABASE_OWNER_URL is not set, and the stack that runs in this checkout uses postgres:\/\/127/
    })
    findStack({}, running).requireDatabase('DATABASE_URL', 'postgres://a:b@db.example/orderly')
  })

  test('without a running stack, an address must be set, because a default port may belong to another checkout', () => {
    const { environment, requireAddress } = findStack({ ORDERLY_KAFKA_PORT: '29092' }, none)
    assert.equal(environment.KAFKA_BROKERS, '127.0.0.1:29092')
    requireAddress('KAFKA_BROKERS')
    assert.throws(() => requireAddress('INVENTORY_URL'), {
      message:
        /INVENTORY_URL is not set, and no stack runs in this checkout: start one with `npm start`, or set INVENTORY_URL\./
    })
  })

  test('ORDERLY_STACK=none and the profile prod use the environment alone', () => {
    for (const alone of [{ ORDERLY_STACK: 'none' }, { ORDERLY_PROFILE: 'prod' }]) {
      const { environment, description, requireAddress } = findStack({ ...alone, KAFKA_BROKERS: 'kafka:9092' }, running)
      assert.deepEqual([environment.KAFKA_BROKERS, environment.INVENTORY_URL], ['kafka:9092', undefined])
      assert.equal(description, undefined)
      requireAddress('INVENTORY_URL')
    }
  })
})
