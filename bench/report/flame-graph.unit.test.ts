import assert from 'node:assert/strict'
import { test } from 'node:test'
import { flameGraph, hottest, toFrames } from './flame-graph.ts'

const frame = (functionName: string) => ({ functionName, url: '', lineNumber: 0 })
const profile = {
  nodes: [
    { id: 1, callFrame: frame('(root)'), children: [2, 3, 5] },
    { id: 2, callFrame: frame('(idle)') },
    { id: 3, callFrame: frame('work'), children: [4] },
    { id: 4, callFrame: frame('encode') },
    { id: 5, callFrame: frame('encode') }
  ],
  samples: [2, 3, 4, 4, 5],
  timeDeltas: [1_000, 10, 20, 30, 40]
}

test('time belongs to the function it was spent in and to all its callers, and idling to nobody', () => {
  const root = toFrames(profile)
  assert.equal(root.totalUs, 100)
  assert.equal(root.children.get('work')?.totalUs, 60)
  assert.equal(root.children.get('work')?.children.get('encode')?.selfUs, 50)
  assert.deepEqual(hottest(root, 1), [{ name: 'encode', share: 0.9 }])
})

test('a flame graph names every frame with its share', () => {
  const svg = flameGraph('stage', toFrames(profile))
  for (const title of ['work, 60.0 %', 'encode, 50.0 %', 'encode, 40.0 %']) assert.ok(svg.includes(`<title>${title}`))
})
