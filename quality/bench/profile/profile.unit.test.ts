import assert from 'node:assert/strict'
import { test } from 'node:test'
import { stacksOf } from './cpu-profile.ts'
import { flameGraph } from './flame-graph.ts'
import { stacksOfHeap } from './heap-profile.ts'
import { weightsByOwner } from './owners.ts'
import { weightOf } from './stack.ts'

const frame = (functionName: string, url = '') => ({ functionName, url, lineNumber: 0 })
const ours = new URL('../../../packages/kafka/stage/run-stage.ts', import.meta.url).href
const theirs = new URL('../../../node_modules/@platformatic/kafka/dist/index.js', import.meta.url).href
const profile = {
  nodes: [
    { id: 1, callFrame: frame('(root)'), children: [2, 3, 6, 7] },
    { id: 2, callFrame: frame('(idle)') },
    { id: 3, callFrame: frame('work', ours), children: [4] },
    { id: 4, callFrame: frame('encode', theirs), children: [5] },
    { id: 5, callFrame: frame('utf8Write') },
    { id: 6, callFrame: frame('encode', theirs) },
    { id: 7, callFrame: frame('(garbage collector)') }
  ],
  samples: [3, 2, 3, 4, 5, 6, 7],
  timeDeltas: [5_000, 1_000, 100, 200, 300, 300, 100]
}

test('time counts for its function and all callers, and idle time for none', () => {
  const { stacks, watchedUs } = stacksOf(profile)
  assert.equal(watchedUs, 7_000)
  assert.equal(weightOf(stacks), 6_000)
  const svg = flameGraph('stage', stacks)
  for (const title of [
    'work stage/run-stage.ts:1, 93.3 %',
    'encode dist/index.js:1, 8.3 %',
    'encode dist/index.js:1, 5.0 %',
    'utf8Write, 5.0 %'
  ])
    assert.ok(svg.includes(`${title}</title>`), title)
})

test('time before fromMs is excluded', () => {
  const { stacks, watchedUs } = stacksOf(profile, 6)
  assert.equal(watchedUs, 2_000)
  assert.equal(weightOf(stacks), 1_000)
})

test('CPU time is attributed to packages, and native code to its caller', () => {
  assert.deepEqual(Object.fromEntries(weightsByOwner(stacksOf(profile, 6).stacks)), {
    '`packages/kafka`': 100,
    '`@platformatic/kafka`': 800,
    'garbage collection': 100
  })
})

test('remaining memory is attributed to the package that allocated it', () => {
  const encode = { callFrame: frame('encode', theirs), selfSize: 300, children: [] }
  const work = { callFrame: frame('work', ours), selfSize: 100, children: [encode] }
  const stacks = stacksOfHeap({ head: { callFrame: frame('(root)'), selfSize: 50, children: [work] } })
  assert.deepEqual(Object.fromEntries(weightsByOwner(stacks)), {
    other: 50,
    '`packages/kafka`': 100,
    '`@platformatic/kafka`': 300
  })
})
