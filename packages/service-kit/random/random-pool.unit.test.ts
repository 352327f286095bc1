import assert from 'node:assert/strict'
import { test } from 'node:test'
import { validate, version } from 'uuid'
import { newID } from './random-pool.ts'

test('ids are unique UUIDs of version 7 that begin with their creation time', () => {
  const beforeMs = Date.now()
  const ids = Array.from({ length: 10_000 }, newID)
  assert.equal(new Set(ids).size, ids.length)
  for (const id of ids) {
    assert.ok(validate(id) && version(id) === 7)
    const createdAtMs = Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16)
    assert.ok(createdAtMs >= beforeMs && createdAtMs <= Date.now())
  }
})
