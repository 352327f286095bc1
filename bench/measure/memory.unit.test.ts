import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeMemory, kilobytesIn } from './memory.ts'

test('what is not objects, room for them, buffers or the program of Node is all else', () => {
  const memory = { resident: 200, objects: 50, room: 25, buffers: 20, program: 30 }
  assert.match(describeMemory({ order: memory }), /\| order \| 200 \| 30\.0 \| 50\.0 \| 25\.0 \| 20\.0 \| 75\.0 \|/)
  const elsewhere = { ...memory, program: kilobytesIn('', 'RssFile') }
  assert.match(describeMemory({ order: elsewhere }), /\| order \| 200 \| – \| 50\.0 \| 25\.0 \| 20\.0 \| 105 \|/)
})

test('pages of files are found in what the kernel says of a process', () => {
  assert.equal(kilobytesIn('Name:\tnode\nVmRSS:\t  9000 kB\nRssFile:\t   48128 kB\n', 'RssFile'), 48_128)
})
