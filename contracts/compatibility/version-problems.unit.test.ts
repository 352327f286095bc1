import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RecordSchema } from '../schema.ts'
import { type EventFolder, readEventFolders, readLock } from './version-files.ts'
import { findVersionProblems, lockNewVersions } from './version-problems.ts'

const contracts = `${import.meta.dirname}/..`

function orderPaid(...versions: readonly RecordSchema['fields'][]): EventFolder[] {
  const schemas = versions.map(
    (fields): RecordSchema => ({ type: 'record', name: 'OrderPaid', namespace: 'com.orderly.events', fields })
  )
  return [{ folder: 'order-paid', eventType: 'OrderPaid', versions: schemas }]
}

const orderID = { name: 'orderID', type: 'string' }
const currency = { name: 'currency', type: 'string' }

test('the versions in the repository are compatible and unchanged since their release', () => {
  assert.deepEqual(findVersionProblems(readEventFolders(contracts), readLock(contracts)), [])
})

test('a field without a default is reported with event, version, field, rule and fix', () => {
  const folders = orderPaid([orderID], [orderID, currency])
  assert.deepEqual(findVersionProblems(folders, lockNewVersions(folders, {})), [
    'OrderPaid v2, field currency: FIELD_WITHOUT_DEFAULT (FULL_TRANSITIVE, against v1): v2 cannot read v1: the field is expected, ' +
      'has no default, and is not written; in contracts/order-paid/v2.avsc give the new field a default'
  ])
})

test('an edited version is reported even if it is compatible, and locking does not accept it', () => {
  const released = orderPaid([orderID], [orderID, { ...currency, default: 'EUR' }])
  const edited = orderPaid([orderID], [orderID, { ...currency, default: 'USD' }])
  const locked = lockNewVersions(released, {})
  assert.deepEqual(findVersionProblems(released, locked), [])
  assert.deepEqual(lockNewVersions(edited, locked), locked)
  const [problem, ...others] = findVersionProblems(edited, locked)
  assert.deepEqual(others, [])
  assert.match(problem ?? '', /^OrderPaid v2: RELEASED_VERSIONS_STAY: contracts\/order-paid\/v2\.avsc.*v3\.avsc$/)
})

test('a removed version and a version that is not locked are reported with their file names', () => {
  const two = orderPaid([orderID], [orderID])
  const one = orderPaid([orderID])
  const [gone] = findVersionProblems(one, lockNewVersions(two, {}))
  assert.match(gone ?? '', /^RELEASED_VERSIONS_STAY: contracts\/order-paid\/v2\.avsc was removed after its release/)
  const [unlocked] = findVersionProblems(two, lockNewVersions(one, {}))
  assert.match(
    unlocked ?? '',
    /^OrderPaid v2: RELEASED_VERSIONS_ARE_LOCKED: contracts\/order-paid\/v2\.avsc.*npm run lock-versions/
  )
})
