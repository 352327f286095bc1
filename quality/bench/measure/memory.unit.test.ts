import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeMemory, memoryOf, memoryTarget } from './memory.ts'

const megabyte = 2 ** 20
const heap = (used: number, committed: number, external: number) => ({
  usedMemory: used * megabyte,
  totalCommittedMemory: committed * megabyte,
  externalMemory: external * megabyte
})
const report = {
  javascriptHeap: heap(50, 75, 20),
  resourceUsage: { rss: 210 * megabyte },
  workers: [{ javascriptHeap: heap(10, 30, 5), resourceUsage: { rss: 0 }, workers: [] }]
}
const rollup = `00400000-7fff [rollup]
Rss:              204800 kB
Pss:              180000 kB
Shared_Clean:      30720 kB
Shared_Dirty:          0 kB
Anonymous:        169984 kB
`

test('memory combines pages from the kernel and heaps from Node, and the rest is all else', () => {
  const memory = memoryOf(report, rollup)
  assert.deepEqual(memory, { resident: 200, objects: 50, room: 25, buffers: 20, threads: 35, program: 30, files: 4 })
  assert.match(
    describeMemory({ order: memory }),
    /\| order \| 200 \| 30\.0 \| 4\.00 \| 50\.0 \| 25\.0 \| 20\.0 \| 35\.0 \| 36\.0 \|/
  )
  assert.match(memoryTarget('memory', 210, memory).why as string, /35\.0 MB heap and buffers of its second thread/)
})

test("without /proc the resident memory comes from Node's report", () => {
  const memory = memoryOf(report, '')
  assert.equal(memory.resident, 210)
  assert.match(
    describeMemory({ order: memory }),
    /\| order \| 210 \| – \| – \| 50\.0 \| 25\.0 \| 20\.0 \| 35\.0 \| 80\.0 \|/
  )
})
