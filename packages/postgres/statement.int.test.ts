import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { integrationEnvironment } from '@orderly/stack/testing'
import fc from 'fast-check'
import type { Pool } from 'pg'
import { isPostgresDataError } from './errors.ts'
import { createPool } from './pool.ts'
import { runStatement } from './statement.ts'

// First of all: with any text fast-check builds tables for seconds, in which nothing that waits for an answer would get it.
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

/** What Postgres makes of an array, told as JSON. */
async function echo(type: string, values: readonly unknown[] | null): Promise<unknown> {
  const { rows } = await runStatement(pool, {
    name: `echo ${type}`,
    text: `SELECT to_jsonb($1::${type}[]) AS array`,
    values: [values]
  })
  return rows[0]?.array
}

const asTold: Record<string, (value: unknown) => unknown> = {
  timestamptz: value => new Date(value as string).getTime()
}

for (const [type, element] of Object.entries(arbitrary)) {
  test(`arrays of ${type} arrive as they were given, NULL and all`, async () => {
    const arrays = fc.array(fc.option(element), { maxLength: 30 })
    const told = asTold[type] ?? (value => value)
    const property = fc.asyncProperty(arrays, async values => {
      const arrived = (await echo(type, values)) as unknown[]
      const same = (value: unknown) => (value === null ? null : told(value))
      assert.deepEqual(arrived.map(same), values.map(same))
    })
    await fc.assert(property, { numRuns: 100 })
  })
}

test('documents in a jsonb array are given as text', async () => {
  const documents = [{ sku: 'T-1', name: 'Grüße 👋 "\\' }, ['{}', null], 7, null]
  assert.deepEqual(
    await echo(
      'jsonb',
      documents.map(document => JSON.stringify(document))
    ),
    documents
  )
})

test('nothing in an array is NULL, and no array is', async () => {
  assert.deepEqual(await echo('text', [undefined, null, '']), [null, null, ''])
  assert.equal(await echo('text', null), null)
  assert.deepEqual(await echo('bigint', []), [])
})

test('a value that Postgres cannot keep is told from a fault of the database', async () => {
  await assert.rejects(echo('text', ['a\0b']), isPostgresDataError)
  await assert.rejects(echo('jsonb', ['{']), isPostgresDataError)
})

test('a number that does not fit is refused, not cut', async () => {
  await assert.rejects(echo('integer', [2 ** 31]), RangeError)
  await assert.rejects(echo('bigint', [2 ** 53]), RangeError)
  await assert.rejects(echo('bigint', [0.5]), RangeError)
})
