import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatTable } from './table.ts'

test('columns are as wide as their widest cell, and no line ends in spaces', () => {
  assert.equal(
    formatTable(
      ['part', 'health'],
      [
        ['kafka', 'ok'],
        ['registry', '']
      ]
    ),
    ['part      health', '--------  ------', 'kafka     ok', 'registry'].join('\n')
  )
})
