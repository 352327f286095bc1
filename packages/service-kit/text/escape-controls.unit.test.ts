import assert from 'node:assert/strict'
import { test } from 'node:test'
import { escapeControls, escapeControlsInJSON, escapeControlsInLines, escapeControlsWithin } from './escape-controls.ts'

const range = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, index) => first + index)
const steering = [
  ...range(0x00, 0x1f),
  ...range(0x7f, 0x9f),
  ...[0x61c, 0x200e, 0x200f, 0x2028, 0x2029],
  ...range(0x202a, 0x202e),
  ...range(0x2066, 0x2069)
].map(code => String.fromCodePoint(code))

test('terminal and bidirectional controls are escaped, other text is not', () => {
  for (const character of steering) {
    for (const text of [escapeControls(character), escapeControlsInJSON(JSON.stringify(character))]) {
      assert.match(text, /^"?\\(x[\da-f]{2}|u[\da-f]{4}|[bfnrt])"?$/, character.codePointAt(0)?.toString(16))
    }
  }
  assert.equal(escapeControls('\u001b[2J\u202Eevil\n'), '\\x1b[2J\\u202eevil\\x0a')
  const harmless = 'Größe "M" \\ – 💎 日本語 שלום'
  assert.deepEqual([escapeControls(harmless), escapeControlsInJSON(harmless)], [harmless, harmless])
})

test('escapeControlsInLines keeps newlines and tabs', () => {
  assert.equal(escapeControlsInLines('a\u009b\r\n\tat b'), 'a\\x9b\\x0d\n\tat b')
})

test('escaped JSON parses to the same value', () => {
  const value = { [`a${steering.join('')}`]: steering }
  for (const json of [JSON.stringify(value), JSON.stringify(value, null, 2)]) {
    const escaped = escapeControlsInJSON(json)
    assert.deepEqual(JSON.parse(escaped), value)
    assert.equal(escapeControlsInLines(escaped), escaped)
  }
})

test('escapeControlsWithin escapes names and texts', () => {
  const value = { 'a\u001b': ['\u009b', 1, null, { stack: 'x\n\u202e' }], msg: 'two\nlines' }
  assert.deepEqual(
    escapeControlsWithin(value, name => name === 'stack'),
    { 'a\\x1b': ['\\x9b', 1, null, { stack: 'x\n\\u202e' }], msg: 'two\\x0alines' }
  )
})
