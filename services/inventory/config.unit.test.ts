import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConfigError } from '@orderly/service-kit'
import { readHoldLimits } from './config.ts'

test('invalid limits are refused with the name of the setting', () => {
  const none = { INVENTORY_MAX_HOLD_SECONDS: [], INVENTORY_MAX_HELD_QUANTITY: [] }
  assert.deepEqual(readHoldLimits(none).seconds.size, 0)
  for (const entry of ['berlin', 'berlin=-1', '=5', 'berlin=1.5', 'berlin=']) {
    assert.throws(() => readHoldLimits({ ...none, INVENTORY_MAX_HELD_QUANTITY: [entry] }), {
      name: ConfigError.name,
      message: /INVENTORY_MAX_HELD_QUANTITY: invalid limit ".*": use CALLER=NUMBER/
    })
  }
  const twice = { ...none, INVENTORY_MAX_HOLD_SECONDS: ['a=1', 'a=2'] }
  assert.throws(() => readHoldLimits(twice), /INVENTORY_MAX_HOLD_SECONDS: duplicate limit for "a"/)
})
