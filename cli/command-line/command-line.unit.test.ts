import assert from 'node:assert/strict'
import { test } from 'node:test'
import { commands } from '../commands.ts'
import { helpOf } from './help.ts'
import { createOutput } from './output.ts'
import { parseInvocation } from './parse.ts'
import { formatTable } from './table.ts'
import { formatDuration, parseDuration, parseMoment } from './time.ts'

test('a command is found by its words, and invalid input is refused in one sentence', () => {
  const invocation = parseInvocation(['stock', 'show', 'MUG', '--json'], commands)
  assert.ok(!('help' in invocation))
  assert.deepEqual([invocation.command.name, invocation.argument, invocation.isJson], ['stock show', 'MUG', true])
  const refusals: [string[], RegExp][] = [
    [['lost'], /^Unknown command "lost": npm run orderly -- --help/],
    [['dlq'], /^Incomplete command: use one of npm run orderly -- dlq list, npm run orderly -- dlq show/],
    [['orders', 'show'], /^ORDER_ID is missing: npm run orderly -- orders show ORDER_ID/],
    [['dlq', 'log', 'who'], /^Unexpected argument "who"/],
    [['topics', '--colour'], /^Unknown option '--colour': npm run orderly -- topics --help/],
    [['stock', 'set', 'MUG', '--available', '-5'], /argument is ambiguous: npm run orderly -- stock set --help/],
    [['stock', 'set', 'MUG', '--available'], /argument missing: npm run orderly -- stock set --help/]
  ]
  for (const [words, message] of refusals)
    assert.throws(() => parseInvocation(words, commands), { exitCode: 64, message })
})

test('help lists every command, and every option of a command', () => {
  const overview = helpOf(undefined, commands)
  for (const { name, summary } of commands)
    assert.match(overview, new RegExp(`^ {2}${name}\\b.*  ${summary.slice(0, 20)}`, 'm'))
  for (const command of commands) {
    const detail = helpOf(command, commands)
    for (const name of [...Object.keys(command.options), 'json'])
      assert.match(detail, new RegExp(`^ {2}--${name}\\b`, 'm'))
  }
  const asked = parseInvocation(['dlq', 'list', '--help'], commands)
  assert.equal('help' in asked && asked.help?.name, 'dlq list')
})

test('every command has examples in its help, each of which parses as that command', () => {
  for (const command of commands) {
    const [, examples = ''] = helpOf(command, commands).split(/^Examples?:$/m)
    const lines = examples.trim().split('\n')
    for (const line of lines) {
      const [, words = ''] = /^ *npm run orderly -- (.+)$/.exec(line) ?? []
      const invocation = parseInvocation(words.replaceAll(/"[^"]*"/g, 'text').split(' '), commands)
      assert.equal('command' in invocation && invocation.command.name, command.name, line)
    }
  }
})

test('durations have the same units in every option, and plain numbers are seconds', () => {
  const parse = (text: string) => parseDuration(text, 'wait', { maximumMs: 86_400_000, otherwiseMs: 1 })
  for (const [text, durationMs] of [
    ['0', 0],
    ['10', 10_000],
    ['10s', 10_000],
    ['15m', 900_000],
    ['2h', 7_200_000],
    ['1d', 86_400_000]
  ] as const) {
    assert.equal(parse(text), durationMs)
    assert.equal(parseMoment(text, 'since', 1e12), 1e12 - durationMs)
  }
  for (const text of ['', '10x', '-1', '1.5h', '2d'])
    assert.throws(() => parse(text), {
      exitCode: 64,
      message: /--wait is ".*": give a duration from 0ms to 1d, like 90s/
    })
  const described = commands.flatMap(({ options }) => Object.values(options)).map(option => option.placeholder)
  assert.ok(!described.includes('SECONDS'))
})

test('table columns are aligned, numbers to the right, and control characters are escaped', () => {
  const columns = [
    { title: 'KEY', value: ({ key }: { key: string; count?: bigint }) => key },
    { title: 'COUNT', value: ({ count }: { key: string; count?: bigint }) => count, isNumber: true }
  ] as const
  const rows = [{ key: 'ada', count: 12n }, { key: '\u001b[2Jevil\n' }]
  assert.equal(
    formatTable(columns, rows),
    ['KEY              COUNT', 'ada                 12', '\\x1b[2Jevil\\x0a      -'].join('\n')
  )
})

test('output contains no terminal control characters', () => {
  const evil = 'a\u001b]0;b\u0007\u009b2J\u202ec\u2066\u2028\nd'
  const print = (isJson: boolean, isTTY: boolean) => {
    let written = ''
    const stream = { write: (text: string) => (written += text), isTTY }
    const output = createOutput({ stdout: stream, stderr: stream }, isJson)
    output.line(evil)
    output.progress(evil)
    output.table([{ title: 'A', value: String }], [evil])
    output.json({ [evil]: evil })
    return written
  }
  for (const isJson of [false, true]) assert.doesNotMatch(print(isJson, true), /(?!\n)[\p{Cc}\p{Zl}\p{Bidi_Control}]/u)
  assert.match(print(false, true), /^a\\x1b\]0;b\\x07\\x9b2J\\u202ec\\u2066\\u2028\\x0ad$/m)
  let files = ''
  for (const isTTY of [false, true]) {
    const stdout = { write: (text: string) => (files += text), isTTY }
    createOutput({ stdout, stderr: stdout }, false).file('sku\u202e,available\n')
  }
  assert.equal(files, 'sku\u202e,available\nsku\\u202e,available\n')
})

test('JSON output is one document with exact offsets and no other text', () => {
  let written = ''
  const output = createOutput({ stdout: { write: text => (written += text) }, stderr: { write: () => true } }, true)
  output.line('text')
  output.table([{ title: 'A', value: String }], [1])
  output.json({ offset: 12n, huge: 2n ** 60n })
  assert.deepEqual(JSON.parse(written), { offset: 12, huge: String(2n ** 60n) })
})

test('times are parsed as points in time or as durations ago, and durations are formatted in two units', () => {
  const nowMs = Date.parse('2026-03-01T12:00:00Z')
  assert.equal(parseMoment('90s', 'since', nowMs), nowMs - 90_000)
  assert.equal(parseMoment('2026-02-28T12:00Z', 'since', nowMs), nowMs - 86_400_000)
  assert.throws(() => parseMoment('soon', 'since', nowMs), /--since is "soon"/)
  const durations = [85, 1_240, 59_000, 725_000, 3_600_000, 100_000_000].map(formatDuration)
  assert.deepEqual(durations, ['85ms', '1.2s', '59s', '12m 5s', '1h', '1d 3h'])
})
