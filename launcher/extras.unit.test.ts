import assert from 'node:assert/strict'
import { test } from 'node:test'
import { UsageError } from '@orderly/command-line'
import { readExtras } from './extras.ts'

test('extras are a list of names, and no option means no extras', () => {
  assert.deepEqual([...readExtras(undefined)], [])
  assert.deepEqual([...readExtras(' connect ,monitoring, connect')], ['connect', 'monitoring'])
})

test('an unknown extra is refused, with the known extras', () => {
  assert.throws(
    () => readExtras('connect,coffee'),
    (error: Error) => error instanceof UsageError && /"coffee": use one or more of .*connect/.test(error.message)
  )
})
