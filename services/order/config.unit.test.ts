import assert from 'node:assert/strict'
import { test } from 'node:test'
import { orderCreatedSchemas } from '@orderly/contracts'
import { ConfigError, parseConfig } from '@orderly/service-kit'
import { configSchema } from './config.ts'

const { newestVersion } = orderCreatedSchemas
const database = { DATABASE_URL: 'postgres://me:secret@127.0.0.1:5432/orderly' }

test('the dev profile requires only DATABASE_URL', () => {
  const { ORDER_DELIVERY_TIMEOUT_MS, ORDER_MAX_PENDING, ORDER_CREATED_VERSION } = parseConfig(configSchema, database)
  assert.deepEqual(
    { ORDER_DELIVERY_TIMEOUT_MS, ORDER_MAX_PENDING, ORDER_CREATED_VERSION },
    { ORDER_DELIVERY_TIMEOUT_MS: 5_000, ORDER_MAX_PENDING: 5_000, ORDER_CREATED_VERSION: newestVersion }
  )
})

test('all invalid settings are reported by name', () => {
  const environment = {
    ...database,
    ORDER_DELIVERY_TIMEOUT_MS: 'forever',
    ORDER_MAX_PENDING: '0',
    ORDER_CREATED_VERSION: String(newestVersion + 1),
    KAFKA_BROKERS: 'nowhere'
  }
  assert.throws(
    () => parseConfig(configSchema, environment),
    (error: unknown) => {
      assert.ok(error instanceof ConfigError)
      const names = error.problems.map(problem => problem.split(' ')[0])
      assert.deepEqual(names, [
        'KAFKA_BROKERS',
        'ORDER_DELIVERY_TIMEOUT_MS',
        'ORDER_MAX_PENDING',
        'ORDER_CREATED_VERSION'
      ])
      return true
    }
  )
})
