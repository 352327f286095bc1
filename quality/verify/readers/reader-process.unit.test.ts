import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatOffsets, PollParser, parseOffsets, startReader } from './reader-process.ts'

/** Starts a Node program as a reader. */
const reader = (program: string) =>
  startReader({ reader: 'test-1', command: process.execPath, args: ['--input-type=module', '--eval', program] })

const never = () => false

test('offsets survive their text form', () => {
  const offsets = new Map([
    ['inventory.stock.movements/3', 12],
    ['orders.created/0', 0]
  ])
  assert.deepEqual(parseOffsets(formatOffsets(offsets)), offsets)
  assert.deepEqual(parseOffsets(formatOffsets(new Map())), new Map())
})

test('the records of a poll are grouped by partition, with their time', () => {
  const parser = new PollParser()
  for (const line of ['poll\t7', 'a\t0\t1\tff\tone', 'b\t0\t5\t\t', 'a\t0\t2\tee\ttwo', 'poll\t9', 'a\t0\t3\tdd\t'])
    parser.add(line)
  assert.deepEqual(parser.polls, [
    {
      ...{ atMs: 7, topic: 'a', partition: 0 },
      records: [
        [1, 'ff', 'one'],
        [2, 'ee', 'two']
      ]
    },
    { atMs: 7, topic: 'b', partition: 0, records: [[5, null, '']] },
    { atMs: 9, topic: 'a', partition: 0, records: [[3, 'dd', '']] }
  ])
})

test('a reader receives the offsets to read to, and its output is complete when it has ended', async () => {
  const program = `process.stdin.once('data', offsets => {
    process.stdout.write('poll\\t1\\n' + 'a\\t0\\t4\\tff\\t' + String(offsets).trim() + '\\n', () => process.exit(0))
  })`
  const { polls, failure } = await reader(program).finish(new Map([['a/0', 4]]), never)
  assert.equal(failure, undefined)
  assert.deepEqual(polls, [{ atMs: 1, topic: 'a', partition: 0, records: [[4, 'ff', 'a/0=4']] }])
})

test('a reader that ends early has a failure with the end of its error output', async () => {
  const { failure } = await reader('throw new Error("no such topic")').finish(new Map(), never)
  assert.match(failure ?? '', /no such topic/)
})

test('a reader that does not end is stopped when it is too late', async () => {
  let checks = 0
  const { polls, failure } = await reader('setInterval(() => {}, 1000)').finish(new Map(), () => ++checks > 3)
  assert.deepEqual({ polls, failure }, { polls: [], failure: undefined })
})
