import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { withTables } from './document.ts'
import { capacityTables } from './tables.ts'

const file = join(import.meta.dirname, '../../../docs/explanation/capacity.md')

test('the tables of docs/explanation/capacity.md are up to date', async () => {
  const document = await readFile(file, 'utf8')
  assert.equal(document, withTables(document, capacityTables()), 'run: npm run bench -- capacity')
})

test('a table replaces the text between its markers, and missing markers are an error', () => {
  const document = 'a\n<!-- one -->\nold\n<!-- /one -->\nb\n'
  assert.equal(withTables(document, { one: 'new' }), 'a\n<!-- one -->\nnew\n<!-- /one -->\nb\n')
  assert.throws(() => withTables(document, { two: 'new' }), /lacks the markers <!-- two -->/)
})
