import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { formatProperties } from './java-properties.ts'

describe('formatProperties', () => {
  test('plain names and values are written unchanged', () => {
    assert.equal(
      formatProperties({ 'log.dirs': 'node-1', 'node.id': 1, enabled: false, jaas: 'user="a b";' }),
      ['log.dirs=node-1\n', 'node.id=1\n', 'enabled=false\n', 'jaas=user="a b";\n'].join('')
    )
  })

  test('backslashes, line breaks and leading spaces are escaped in values', () => {
    assert.equal(formatProperties({ a: 'C:\\x', b: 'one\ntwo', c: '  x y' }), 'a=C:\\\\x\nb=one\\ntwo\nc=\\  x y\n')
  })

  test('characters outside ASCII become Unicode escapes, one per UTF-16 unit', () => {
    assert.equal(formatProperties({ path: '/ü/€/😀' }), 'path=/\\u00fc/\\u20ac/\\ud83d\\ude00\n')
  })

  test('separators and comment signs are escaped in names only', () => {
    assert.equal(formatProperties({ 'a=b:c#d e': '#=:!' }), 'a\\=b\\:c\\#d\\ e=#=:!\n')
  })
})
