import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { allColumns } from './order-columns.ts'

test('migrations create every column of the order status', async () => {
  const folder = new URL('migrations/', import.meta.url)
  const files = (await readdir(folder)).filter(file => file.endsWith('.sql'))
  const sql = (await Promise.all(files.map(file => readFile(new URL(file, folder), 'utf8')))).join('\n')
  for (const name of allColumns.split(', '))
    assert.match(sql, new RegExp(`\\b${name} \\w`), `${name} needs a migration`)
})
