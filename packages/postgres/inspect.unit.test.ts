import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type DatabaseFacts, diagnoseDatabase } from './inspect.ts'

const settings: DatabaseFacts['settings'] = {
  client_encoding: 'UTF8',
  default_transaction_isolation: 'read committed',
  default_transaction_read_only: 'off',
  fsync: 'on',
  full_page_writes: 'on',
  server_encoding: 'UTF8',
  synchronous_commit: 'on',
  synchronous_standby_names: '',
  TimeZone: 'Etc/UTC'
}
const good: DatabaseFacts = {
  ...{ settings, database: 'orderly', isStandby: false, isSuperuser: false, standbys: [], overrides: [] },
  ...{ clockAheadMs: 40, refusal: undefined }
}

test('a database as required, with or without a synchronous standby, has no findings', () => {
  assert.deepEqual(diagnoseDatabase(good), [])
  const withStandby = { settings: { ...settings, synchronous_standby_names: 'one' }, standbys: ['sync', 'async'] }
  assert.deepEqual(diagnoseDatabase({ ...good, ...withStandby }), [])
})

const cases: readonly [Partial<DatabaseFacts>, RegExp][] = [
  [{ refusal: 'the database is a standby: connect to the primary' }, /^problem services cannot .*a standby; connect/],
  [{ settings: { ...settings, fsync: 'off' } }, /^problem fsync is off/],
  [{ settings: { ...settings, full_page_writes: 'off' } }, /^problem full_page_writes is off/],
  [{ settings: { ...settings, server_encoding: 'LATIN1' } }, /^problem its encoding is LATIN1/],
  [
    { settings: { ...settings, client_encoding: 'SQL_ASCII' } },
    /^problem sessions start with client_encoding SQL_ASCII/
  ],
  [{ settings: { ...settings, TimeZone: 'Asia/Tokyo' } }, /^hint its time zone is Asia\/Tokyo/],
  [{ settings: { ...settings, synchronous_standby_names: 'one' } }, /^problem every commit waits/],
  [{ settings: { ...settings, synchronous_standby_names: 'one' }, standbys: ['async'] }, /^problem every commit waits/],
  [{ standbys: ['async'] }, /^hint its standby is asynchronous/],
  [
    {
      overrides: [
        {
          ...{ owner: 'the role orderly_inventory', setting: 'synchronous_commit=off' },
          alter: 'ALTER ROLE orderly_inventory'
        }
      ]
    },
    /^problem the role orderly_inv.*; reset it: ALTER ROLE orderly_inventory RESET synchronous_commit$/
  ],
  [{ clockAheadMs: -60_000 }, /^problem its clock differs from this machine's by -60 s/],
  [{ isSuperuser: true }, /^hint the address is that of a superuser/]
]

for (const [facts, finding] of cases) {
  test(`${JSON.stringify(facts).slice(0, 90)} leads to one finding`, () => {
    const found = diagnoseDatabase({ ...good, ...facts })
    assert.equal(found.length, 1, JSON.stringify(found))
    assert.match(found.map(({ severity, what, todo }) => `${severity} ${what}; ${todo}`)[0] ?? '', finding)
  })
}

test('an overridden setting that services do not rely on is not a finding', () => {
  const overrides = [{ owner: 'the role orderly_order', setting: 'work_mem=64MB', alter: 'ALTER ROLE orderly_order' }]
  assert.deepEqual(diagnoseDatabase({ ...good, overrides }), [])
})
