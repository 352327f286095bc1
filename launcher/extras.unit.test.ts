import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readExtras } from './extras.ts'
import { UserError } from './user-error.ts'

test('extras are a list of names, and no option means no extras', () => {
  assert.deepEqual([...readExtras(undefined)], [])
  assert.deepEqual([...readExtras(' connect ,monitoring, connect')], ['connect', 'monitoring'])
})

test('an unknown extra is refused, with the known extras', () => {
  assert.throws(
    () => readExtras('connect,coffee'),
    (error: Error) => error instanceof UserError && /"coffee": use one or more of .*connect/.test(error.message)
  )
})
