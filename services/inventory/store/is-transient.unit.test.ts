import assert from 'node:assert/strict'
import { test } from 'node:test'
import { InvalidOrderError } from '../domain/order.ts'
import { isTransient } from './is-transient.ts'

const serverError = (code: string) => Object.assign(new Error('from the server'), { code, severity: 'ERROR' })

test('errors of an unavailable, locked, misconfigured or damaged database are transient', () => {
  for (const code of ['57P01', '40P01', '57014', '28P01', '42501', '42P01', '23514', '23505', 'XX000']) {
    assert.equal(isTransient(serverError(code)), true, code)
  }
  assert.equal(isTransient(Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })), true)
  assert.equal(isTransient(Object.assign(new Error('registry away'), { retryable: true })), true)
})

test('errors that an order causes are permanent', () => {
  assert.equal(isTransient(new InvalidOrderError('1', 'it has no items')), false)
  for (const code of ['22021', '22003', '54000']) assert.equal(isTransient(serverError(code)), false, code)
})

test('a programming error is permanent', () => {
  for (const value of [new TypeError('a bug'), undefined, null, 'text']) assert.equal(isTransient(value), false)
})
