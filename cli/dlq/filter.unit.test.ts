import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseCommandLine, UsageError } from '@orderly/command-line'
import type { DeadLetter } from '@orderly/kafka'
import { commandLine } from '../commands.ts'
import { type DeadLetterFilter, describeFilter, matches, parseFilter } from './filter.ts'
import { shellKeyOptions } from './key-text.ts'

const nowMs = Date.parse('2026-03-01T12:00:00Z')

function optionsOf(...words: string[]) {
  return parseCommandLine(commandLine, ['dlq', 'list', ...words]).options
}

const deadLetter: DeadLetter = {
  topic: 'orders.created.dlq',
  partition: 2,
  offset: 17n,
  timestampMs: nowMs - 3_600_000,
  key: Buffer.from('ada'),
  value: Buffer.from('v'),
  headers: [],
  stage: 'inventory',
  code: 'ORDER_INVALID',
  reason: 'its orderID is empty',
  source: { topic: 'orders.created', partition: 2, offset: 4n },
  origin: { topic: 'orders.created', partition: 2, offset: 4n },
  replay: undefined,
  isCopy: false,
  reduced: undefined,
  batch: undefined
}

test('an empty filter matches every dead letter, and each option narrows it', () => {
  const isMeant = (...words: string[]) => matches(parseFilter(optionsOf(...words), nowMs), deadLetter)
  const cases: [string[], boolean][] = [
    [[], true],
    [['--topic', 'orders.created'], true],
    [['--topic', 'orders.created.dlq', '--stage', 'inventory'], true],
    [['--topic', 'inventory.failed'], false],
    [['--topic', 'inventory.failed', '--topic', 'orders.created'], true],
    [['--key', 'bob', '--user', 'ada'], true],
    [['--key', 'bob'], false],
    [['--key', 'hex:616461'], true],
    [['--user', 'hex:6164'], false],
    [['--code', 'KEY_BLOCKED'], false],
    [['--since', '2h'], true],
    [['--since', '30m'], false],
    [['--until', '30m'], true],
    [['--until', '2026-03-01T11:00Z'], false],
    [['--partition', '2', '--offset', '17'], true],
    [['--offset', '18-20'], false],
    [['--offset', '10-17'], true],
    [['--partition', '1'], false]
  ]
  for (const [words, expected] of cases) assert.equal(isMeant(...words), expected, words.join(' '))
})

test('--user matches a user of all callers, or of one with --caller, and --key matches exactly', () => {
  const deadLetterOf = (key: Buffer | null) => ({ ...deadLetter, key })
  const keys = {
    unowned: Buffer.from('ada'),
    berlins: Buffer.from('berlin\u001fada'),
    pariss: Buffer.from('paris\u001fada'),
    binary: Buffer.from('berlin\u001fad\xff', 'latin1'),
    none: null
  }
  const meant = (...words: string[]) => {
    const filter = parseFilter(optionsOf(...words), nowMs)
    return Object.entries(keys).flatMap(([name, key]) => (matches(filter, deadLetterOf(key)) ? [name] : []))
  }
  assert.deepEqual(meant('--user', 'ada'), ['unowned', 'berlins', 'pariss'])
  assert.deepEqual(meant('--key', 'ada'), ['unowned'])
  assert.deepEqual(meant('--caller', 'berlin'), ['berlins'])
  assert.deepEqual(meant('--caller', 'berlin', '--caller', 'paris', '--user', 'ada'), ['berlins', 'pariss'])
  assert.deepEqual(meant('--caller', 'paris', '--user', 'bob'), [])
  assert.deepEqual(meant('--key', `hex:${keys.berlins.toString('hex')}`), ['berlins'])
  for (const key of [keys.unowned, keys.berlins, keys.pariss, keys.binary]) {
    assert.equal(meant(...shellKeyOptions(key).split(' ')).length, 1, shellKeyOptions(key))
  }
  assert.equal(shellKeyOptions(keys.berlins), '--caller berlin --user ada')
})

test('an invalid option is refused by its name', () => {
  for (const [option, value] of Object.entries({
    key: 'hex:0g',
    since: 'noon',
    until: '5 o',
    partition: '-1',
    offset: '9-3'
  })) {
    assert.throws(() => parseFilter(optionsOf(`--${option}=${value}`), nowMs), {
      name: UsageError.name,
      message: new RegExp(`--${option} is "${value}": give`)
    })
  }
})

test('a filter is described with its options as typed', () => {
  assert.equal(
    describeFilter(optionsOf('--key', 'ada', '--since', '2h', '--key', 'bob')),
    '--key ada --key bob --since 2h'
  )
  const all: DeadLetterFilter = parseFilter(optionsOf(), nowMs)
  assert.deepEqual([describeFilter(optionsOf()), all.offsets], ['', undefined])
})
