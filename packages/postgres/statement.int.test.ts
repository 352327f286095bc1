import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { integrationEnvironment } from '@orderly/launcher/testing'
import fc from 'fast-check'
import type { Pool } from 'pg'
import { isPostgresDataError } from './errors.ts'
import { createPool } from './pool.ts'
import { runStatement } from './statement.ts'

// Created before the pool: fast-check builds tables for binary strings synchronously for seconds,
// during which connections would time out.
const isStorable = (text: string) => !text.includes('\0')
const arbitrary: Record<string, fc.Arbitrary<unknown>> = {
  text: fc.string({ unit: 'binary' }).filter(isStorable),
  integer: fc.integer(),
  bigint: fc.maxSafeInteger(),
  float8: fc.double({ noNaN: true, noDefaultInfinity: true }).map(value => value || 0),
  timestamptz: fc.date({ noInvalidDate: true, min: new Date(0), max: new Date('9999-01-01') }),
  uuid: fc.uuid()
}

let pool: Pool

before(async () => {
  const url = await integrationEnvironment().databaseURL()
  pool = createPool({ url, maxConnections: 1, applicationName: 'under test', statementTimeoutMs: 5000 })
})
after(() => pool.end())

/** Sends an array to Postgres and returns it as JSON. */
async function echo(type: string, values: readonly unknown[] | null): Promise<unknown> {
  const { rows } = await runStatement(pool, {
    name: `echo ${type}`,
    text: `SELECT to_jsonb($1::${type}[]) AS array`,
    values: [values]
  })
  return rows[0]?.array
}

const asReported: Record<string, (value: unknown) => unknown> = {
  timestamptz: value => new Date(value as string).getTime()
}

for (const [type, element] of Object.entries(arbitrary)) {
  test(`arrays of ${type} with NULLs arrive unchanged`, async () => {
    const arrays = fc.array(fc.option(element), { maxLength: 30 })
    const reported = asReported[type] ?? (value => value)
    const property = fc.asyncProperty(arrays, async values => {
      const arrived = (await echo(type, values)) as unknown[]
      const same = (value: unknown) => (value === null ? null : reported(value))
      assert.deepEqual(arrived.map(same), values.map(same))
    })
    await fc.assert(property, { numRuns: 100 })
  })
}

test('documents of a jsonb array are passed as text', async () => {
  const documents = [{ sku: 'T-1', name: 'Grüße 👋 "\\' }, ['{}', null], 7, null]
  assert.deepEqual(
    await echo(
      'jsonb',
      documents.map(document => JSON.stringify(document))
    ),
    documents
  )
})

test('null and undefined elements and a null array become NULL', async () => {
  assert.deepEqual(await echo('text', [undefined, null, '']), [null, null, ''])
  assert.equal(await echo('text', null), null)
  assert.deepEqual(await echo('bigint', []), [])
})

test('a value that Postgres cannot store is reported as a data error', async () => {
  await assert.rejects(echo('text', ['a\0b']), isPostgresDataError)
  await assert.rejects(echo('jsonb', ['{']), isPostgresDataError)
})

test('a number that does not fit the type is refused instead of truncated', async () => {
  await assert.rejects(echo('integer', [2 ** 31]), RangeError)
  await assert.rejects(echo('bigint', [2 ** 53]), RangeError)
  await assert.rejects(echo('bigint', [0.5]), RangeError)
})
