import assert from 'node:assert/strict'
import { test } from 'node:test'
import { residentBytes, sumOfTrees } from './memory.ts'

const rows = [
  { pid: 1, parentPID: 0, residentKB: 100 },
  { pid: 10, parentPID: 1, residentKB: 200 },
  { pid: 11, parentPID: 10, residentKB: 300 },
  { pid: 12, parentPID: 11, residentKB: 400 },
  { pid: 20, parentPID: 1, residentKB: 999 }
]

test('the memory of a process includes all descendants and no other process', () => {
  assert.equal(sumOfTrees([10], rows), 900 * 1024)
})

test('a child that is also a root is counted once', () => {
  assert.equal(sumOfTrees([10, 11], rows), 900 * 1024)
})

test('the memory of this process is measured', async () => {
  assert.ok((await residentBytes([process.pid])) > 10 * 1024 * 1024)
})
