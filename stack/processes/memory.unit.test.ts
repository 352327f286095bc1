import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseProcesses, residentBytes, sumOfTrees } from './memory.ts'

test('the memory of a process includes its children and theirs, and nobody else', () => {
  const rows = parseProcesses(
    '    1     0   100\n   10     1   200\n   11    10   300\n   12    11   400\n   20     1   999\n'
  )
  assert.equal(sumOfTrees([10], rows), 900 * 1024)
})

test('a process and its child given both are counted once', () => {
  const rows = parseProcesses('10 1 200\n11 10 300')
  assert.equal(sumOfTrees([10, 11], rows), 500 * 1024)
})

test('the memory of this process is seen', async () => {
  assert.ok((await residentBytes([process.pid])) > 10 * 1024 * 1024)
})
