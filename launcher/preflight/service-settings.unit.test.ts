import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ConfigError } from '@orderly/service-kit'
import { serviceNames } from '../services.ts'
import { checkServiceSettings } from './service-settings.ts'

const DATABASE_URL = 'postgres://orderly@127.0.0.1/orderly'

describe('checkServiceSettings', () => {
  test('the defaults of the dev profile are valid for all services', () => {
    checkServiceSettings([...serviceNames, 'monitor'], () => ({ DATABASE_URL }))
  })

  test('the problems of all services are reported together, each once with the affected services', () => {
    const environment = { DATABASE_URL, LOG_LEVEL: 'loud', ORDER_MAX_PENDING: 'many', NOTIFICATION_LOCALE: 'xx' }
    assert.throws(
      () => checkServiceSettings(serviceNames, () => environment),
      (error: unknown) => {
        assert.ok(error instanceof ConfigError)
        assert.equal(error.exitCode, 78)
        assert.equal(error.problems.length, 3)
        assert.match(error.problems[0] ?? '', /^order, inventory, notification, aggregator: LOG_LEVEL is "loud"/)
        assert.match(error.problems[1] ?? '', /^order: ORDER_MAX_PENDING is "many"/)
        assert.match(error.problems[2] ?? '', /^notification: NOTIFICATION_LOCALE is "xx"/)
        return true
      }
    )
  })
})
