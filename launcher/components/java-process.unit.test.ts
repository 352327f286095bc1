import assert from 'node:assert/strict'
import { test } from 'node:test'
import { canBeArchived } from './java-process.ts'

test('no archive of classes is used in a path with "!", which Java reads as the separator of an entry in a jar', () => {
  assert.equal(canBeArchived('/home/ü/a b,c#d=e/registry'), true)
  assert.equal(canBeArchived('/home/d!e/registry'), false)
})
