import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  isPostgresConflict,
  isPostgresDataError,
  isPostgresServerError,
  isSessionError,
  isTransientFailure,
  isTransientPostgresError,
  isUniqueViolation,
  PostgresError
} from './errors.ts'

const serverError = (code: string, fields: object = {}) =>
  Object.assign(new Error('from the server'), { code, severity: 'ERROR', ...fields })
const systemError = (code: string) => Object.assign(new Error('from the system'), { code })

test('deadlocks, timeouts, restarts and lost connections are transient', () => {
  for (const code of ['40P01', '40001', '57014', '55P03', '57P01', '57P03', '53300', '08006', '25P03', '25006']) {
    assert.equal(isTransientPostgresError(serverError(code)), true, code)
  }
  for (const code of ['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT']) {
    assert.equal(isTransientPostgresError(systemError(code)), true, code)
  }
  assert.equal(isTransientPostgresError(new Error('Connection terminated unexpectedly')), true)
})

const stalePlan = serverError('0A000', { routine: 'RevalidateCachedQuery' })

test('lost statements, stale plans and a read-only database are transient and end the session', () => {
  const codes = ['25006', '26000', '42P05', '57P01', '57P02', '57P03', '57P05', '08P01', '08006', '25P03']
  for (const error of [
    ...codes.map(code => serverError(code)),
    stalePlan,
    new PostgresError('READ_ONLY', 'a standby')
  ]) {
    assert.equal(isTransientPostgresError(error), true, String((error as { code: string }).code))
    assert.equal(isSessionError(new Error('outer', { cause: error })), true, String((error as { code: string }).code))
  }
  for (const message of ['Query read timeout', 'Connection terminated unexpectedly']) {
    assert.equal(isSessionError(new Error(message)), true, message)
  }
  // The state of the session after these errors is unknown.
  for (const code of ['XX000', '0A000', '57P04']) assert.equal(isSessionError(serverError(code)), true, code)
  assert.equal(isTransientPostgresError(serverError('0A000')), false)
})

test('an error of a statement, of its values or of the calling code does not end the session', () => {
  for (const code of ['22003', '23505', '40001', '40P01', '42P01', '42501', '54000', '55P03', '57014', 'P0001']) {
    assert.equal(isSessionError(serverError(code)), false, code)
  }
  for (const error of [new RangeError('undecided'), undefined, 'text']) assert.equal(isSessionError(error), false)
})

test('violated constraints, missing tables, bad passwords and bugs are not transient', () => {
  for (const code of ['23505', '23514', '42P01', '28P01', '22021']) {
    assert.equal(isTransientPostgresError(serverError(code)), false, code)
  }
  for (const value of [new TypeError('a bug'), undefined, null, 'text', 7, {}, systemError('ENOENT')]) {
    assert.equal(isTransientPostgresError(value), false)
  }
})

test('the cause is found in wrapped, aggregated and circular errors', () => {
  const wrapped = new Error('outer', { cause: new Error('middle', { cause: serverError('40P01') }) })
  assert.equal(isTransientPostgresError(wrapped), true)
  assert.equal(isTransientPostgresError(new AggregateError([systemError('ECONNREFUSED')], 'all addresses')), true)
  const circle = new Error('a circle')
  circle.cause = circle
  assert.equal(isTransientPostgresError(circle), false)
})

test('only errors about values are data errors', () => {
  assert.equal(isPostgresDataError(serverError('22021')), true)
  assert.equal(isPostgresDataError(new Error('outer', { cause: serverError('54000') })), true)
  assert.equal(isPostgresDataError(serverError('23514')), false)
  assert.equal(isPostgresDataError(systemError('22021')), false)
})

test('a system error with a code of five letters is not a server error', () => {
  assert.equal(isPostgresServerError(systemError('EPIPE')), false)
  assert.equal(isPostgresServerError(serverError('42P01')), true)
})

test('a unique violation is identified by its constraint', () => {
  const error = serverError('23505', { constraint: 'outcomes_pkey' })
  assert.equal(isUniqueViolation(error, 'outcomes_pkey'), true)
  assert.equal(isUniqueViolation(error, 'stock_pkey'), false)
})

test('deadlocks and serialization failures are conflicts, lost connections are not', () => {
  assert.equal(isPostgresConflict(new Error('outer', { cause: serverError('40P01') })), true)
  assert.equal(isPostgresConflict(serverError('40001')), true)
  assert.equal(isPostgresConflict(systemError('ECONNRESET')), false)
})

test('a failure of an unavailable, locked, misconfigured or damaged database, or one that says so, is transient', () => {
  for (const code of ['57P01', '40P01', '57014', '28P01', '42501', '42P01', '23514', '23505', 'XX000']) {
    assert.equal(isTransientFailure(serverError(code)), true, code)
  }
  assert.equal(isTransientFailure(systemError('ECONNREFUSED')), true)
  assert.equal(isTransientFailure(Object.assign(new Error('registry unavailable'), { retryable: true })), true)
})

test('a failure that values cause, a programming error, and one that says so are permanent', () => {
  for (const code of ['22021', '22003', '22P05', '54000']) {
    assert.equal(isTransientFailure(serverError(code)), false, code)
  }
  assert.equal(isTransientFailure(Object.assign(new Error('invalid order'), { retryable: false })), false)
  for (const value of [new TypeError('a bug'), undefined, null, 'text']) assert.equal(isTransientFailure(value), false)
})
