import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readExtras } from './extras.ts'
import { Refusal } from './refusal.ts'

test('extras are a list of names, and nothing is none', () => {
  assert.deepEqual([...readExtras(undefined)], [])
  assert.deepEqual([...readExtras(' connect ,monitoring, connect')], ['connect', 'monitoring'])
})

test('an extra that does not exist is refused with those that do', () => {
  assert.throws(
    () => readExtras('connect,coffee'),
    (error: Error) => error instanceof Refusal && /"coffee": there is .*connect/.test(error.message)
  )
})
