import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HelpRequest, parseCommandLine } from '@orderly/command-line'
import { ConfigError } from '@orderly/service-kit'
import { commandLine } from '../commands.ts'
import { reasonOf } from './explain.ts'
import { createOutput } from './output.ts'

const { commands } = commandLine
const helpOf = (...words: string[]): string => {
  try {
    parseCommandLine(commandLine, words)
  } catch (error) {
    if (error instanceof HelpRequest) return error.message
  }
  throw new Error('no help')
}

test('a command is found by its words, and invalid input is refused in one sentence', () => {
  const { command, positionals, options } = parseCommandLine(commandLine, ['stock', 'show', 'MUG', '--json'])
  assert.deepEqual([command.name, positionals, options.flag('json')], ['stock show', ['MUG'], true])
  const refusals: [string[], RegExp][] = [
    [['lost'], /^Unknown command 'lost'\. npm run orderly -- --help shows the usage\.$/],
    [['docter'], /^Unknown command 'docter'\. \(Did you mean doctor\?\)/],
    [['dlq', 'lits'], /^Unknown command 'lits'\. \(Did you mean list\?\)/],
    [['dlq'], /^Incomplete command: use one of npm run orderly -- dlq list, npm run orderly -- dlq show/],
    [['orders', 'show'], /^Missing required argument 'ORDER_ID'\. npm run orderly -- orders show --help/],
    [['dlq', 'log', 'who'], /^Too many arguments for 'log'\. Expected 0 arguments but got 1: who\. npm run/],
    [['topics', '--colour'], /^Unknown option '--colour'\. npm run orderly -- topics --help/],
    [['doctor', '--jsno'], /^Unknown option '--jsno'\. \(Did you mean --json\?\)/],
    [['stock', 'set', 'MUG', '--available', '--json'], /^--available needs a value: /],
    [['stock', 'set', 'MUG', '--available'], /argument missing\. npm run orderly -- stock set --help/]
  ]
  for (const [words, message] of refusals)
    assert.throws(() => parseCommandLine(commandLine, words), { exitCode: 64, message })
})

test('a command with the name of a group keeps its own argument and options', () => {
  const nameOf = (...words: string[]) => parseCommandLine(commandLine, words).command.name
  assert.equal(nameOf('topics', 'orders.created', '--json'), 'topics')
  assert.equal(nameOf('topics', 'grow', 'orders.created', '--json', '--partitions', '12'), 'topics grow')
})

test('help lists every command, and every option of a command', () => {
  for (const overview of [helpOf(), helpOf('--help'), helpOf('help')])
    for (const { name, summary } of commands)
      assert.match(overview, new RegExp(`^ {2}${name}\\b.*  ${summary.slice(0, 20)}`, 'm'))
  assert.match(helpOf('dlq', '--help'), /^ {2}dlq list /m)
  assert.doesNotMatch(helpOf('dlq', '--help'), /doctor/)
  for (const command of commands) {
    const detail = helpOf(...command.name.split(' '), '--help')
    for (const name of Object.keys(command.options)) assert.match(detail, new RegExp(`^ {2}--${name}\\b`, 'm'))
  }
})

test('every command has examples in its help, each of which parses as that command', () => {
  for (const { name } of commands) {
    const [, examples = ''] = helpOf(...name.split(' '), '--help').split(/^Examples?:$/m)
    const lines = examples.trim().split('\n')
    for (const line of lines) {
      const [, words = ''] = /^ *npm run orderly -- (.+)$/.exec(line) ?? []
      const given = parseCommandLine(commandLine, words.replaceAll(/"[^"]*"/g, 'text').split(' '))
      assert.equal(given.command.name, name, line)
    }
  }
})

test('every option with a duration accepts units', () => {
  const described = commands.flatMap(({ options }) => Object.values(options)).map(option => option.placeholder)
  assert.ok(!described.includes('SECONDS'))
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

test('the reason of invalid settings is one line without a heading', () => {
  assert.equal(
    reasonOf(new ConfigError(['A is not set: set A.', 'B is not set: set B.'])),
    'A is not set: set A. B is not set: set B'
  )
})
