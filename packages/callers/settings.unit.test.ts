import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ConfigError, parseConfig, serviceSettings } from '@orderly/service-kit'
import { Type } from 'typebox'
import { callerSettings } from './settings.ts'

const schema = Type.Object({ ...serviceSettings, ...callerSettings })

describe('API_KEYS', () => {
  test('may be off on loopback only, unless API_KEYS_OFF_ON_NETWORK is set', () => {
    for (const host of ['127.0.0.1', '127.1.2.3', 'localhost', '::1']) {
      assert.equal(parseConfig(schema, { HTTP_HOST: host }).API_KEYS, 'off')
    }
    for (const host of ['0.0.0.0', '::', '10.0.0.7', 'orders.example', '127.0.0.1.example']) {
      const problem = /API_KEYS is off and HTTP_HOST is .*API_KEYS to required.*API_KEYS_OFF_ON_NETWORK to true/
      assert.throws(
        () => parseConfig(schema, { HTTP_HOST: host }),
        (error: unknown) => {
          assert.ok(error instanceof ConfigError)
          return error.exitCode === 78 && problem.test(error.message)
        }
      )
      const prod = { HTTP_HOST: host, ORDERLY_PROFILE: 'prod', INSTANCE_ID: '1' }
      assert.throws(() => parseConfig(schema, { ...prod, API_KEYS: 'off' }), problem)
      assert.equal(parseConfig(schema, prod).API_KEYS, 'required')
      assert.equal(parseConfig(schema, { HTTP_HOST: host, API_KEYS: 'required' }).API_KEYS, 'required')
      assert.equal(parseConfig(schema, { HTTP_HOST: host, API_KEYS_OFF_ON_NETWORK: 'true' }).API_KEYS, 'off')
    }
  })
})
