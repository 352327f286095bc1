import assert from 'node:assert/strict'
import { test } from 'node:test'
import { proseInMarkdown, proseInSource } from './prose.ts'

const found = (hits: readonly { line: number; found: string }[]) => hits.map(hit => `${hit.line} ${hit.found}`)

test('phrases in comments, titles and messages are found with the line on which the text begins', () => {
  const source = [
    '/**',
    ' * Returns the batch',
    ' * that is under way.',
    ' */',
    'const a = 1 // goes on with it',
    '// Of the stage.',
    "test('nobody is told', () => {})",
    "logger.warn({}, 'reading is going on')"
  ].join('\n')
  assert.deepEqual(found(proseInSource(source)), [
    '1 under way',
    '5 goes on',
    '6 Of',
    '7 nobody',
    '7 told',
    '8 going on'
  ])
})

test('identifiers and other code are not prose', () => {
  assert.deepEqual(proseInSource("const anew = 'whoever'\nrun(anew)\n"), [])
})

test('phrases in Markdown are found, except in code', () => {
  assert.deepEqual(found(proseInMarkdown('It comes\n`it comes`\n```\nit comes\n```\ncomes from\n')), ['1 comes'])
})
