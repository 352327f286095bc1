import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkAddress } from './address.ts'

const refused = (address: string, message: RegExp) =>
  assert.throws(
    () => checkAddress(address),
    (error: Error & { code: string }) => {
      assert.equal(error.code, 'ADDRESS_INVALID')
      assert.match(error.message, message)
      assert.doesNotMatch(error.message, /s3cret/)
      return true
    }
  )

test('addresses with one host are accepted, including TLS, sockets and server settings', () => {
  for (const address of [
    'postgres://me:s3cret@db.example:5432/orderly',
    'postgresql://me:s%40cret@[::1]/orderly?sslmode=verify-full&sslrootcert=/etc/ca.pem',
    'postgres://me@/orderly?host=/run/postgresql',
    'postgres://me:s3cret@db/orderly?options=-c%20search_path%3Dmine'
  ]) {
    checkAddress(address)
  }
})

test('several hosts are refused in any notation', () => {
  for (const address of [
    'postgres://me:s3cret@one,two/orderly',
    'postgres://me:s3cret@one:5432,two:5433/orderly',
    'postgres://me:s3cret@/orderly?host=one,two'
  ]) {
    refused(address, /names several hosts, which is not supported: use one host that leads to the primary/)
  }
  checkAddress('postgres://me:s3,cret@one/orderly')
})

test('an invalid URL is refused with the expected form', () => {
  refused('postgres://me:s3cret#1@db:x/orderly', /percent-encode special characters/)
})

test('a parameter that would override a setting of the pool is refused by name', () => {
  for (const name of ['statement_timeout', 'query_timeout', 'application_name', 'target_session_attrs']) {
    refused(`postgres://me:s3cret@db/orderly?${name}=0`, new RegExp(`has the parameter ${name}`))
  }
})
