import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isTransient } from './is-transient.ts'

const serverError = (code: string) => Object.assign(new Error('from the server'), { code, severity: 'ERROR' })

test('an error of an unavailable, locked, misconfigured or damaged database is transient', () => {
  for (const code of ['57P01', '40P01', '57014', '28P01', '42501', '42P01', '23514', 'XX000']) {
    assert.equal(isTransient(serverError(code)), true, code)
  }
  assert.equal(isTransient(Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })), true)
  assert.equal(isTransient(Object.assign(new Error('registry away'), { retryable: true })), true)
})

test('a value that Postgres cannot store and a programming error are permanent', () => {
  for (const code of ['22021', '22P05', '54000']) assert.equal(isTransient(serverError(code)), false, code)
  for (const value of [new TypeError('a bug'), undefined, null, 'text']) assert.equal(isTransient(value), false)
})
