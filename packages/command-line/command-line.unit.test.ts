import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseCommand } from './parse.ts'
import { formatRows, formatTable } from './table.ts'
import { formatDuration, parseDuration, parseMoment } from './time.ts'

const spec = {
  name: 'brew',
  summary: 'brew tea',
  argument: '[LEAF...]',
  examples: ['brew assam'],
  options: {
    minutes: { type: 'string', placeholder: 'N', description: 'time' },
    'with-milk': { type: 'boolean', description: 'adds milk' },
    spice: { type: 'string', multiple: true, placeholder: 'NAME', description: 'spice' }
  },
  notes: 'Needs water.'
} as const

test('positionals, flags and repeated options are parsed, and a value may be negative', () => {
  const words = ['assam', '--with-milk', '--spice', 'clove', '--spice=mace', '--minutes', '-5', 'ceylon']
  const { positionals, options } = parseCommand(spec, words)
  assert.deepEqual(positionals, ['assam', 'ceylon'])
  assert.deepEqual(options.texts('spice'), ['clove', 'mace'])
  assert.deepEqual([options.text('minutes'), options.flag('with-milk')], ['-5', true])
  const none = parseCommand(spec, [])
  assert.deepEqual([none.positionals, none.options.texts('spice'), none.options.flag('with-milk')], [[], [], false])
})

test('help of a single command shows usage, options, notes and examples', () => {
  const help = [
    'Usage: brew [options] [LEAF...]',
    '',
    'Brew tea.',
    '',
    'Options:',
    '  --minutes N   time',
    '  --with-milk   adds milk',
    '  --spice NAME  spice',
    '  -h, --help    show this help',
    '',
    'Needs water.',
    '',
    'Example:',
    '  brew assam'
  ].join('\n')
  for (const words of [['--help'], ['-h'], ['assam', '--help']])
    assert.throws(() => parseCommand(spec, words), { name: 'HelpRequest', exitCode: 0, message: help })
})

test('a mistyped option is refused with the right one', () => {
  assert.throws(() => parseCommand(spec, ['--with-mlik']), {
    exitCode: 64,
    message: "Unknown option '--with-mlik'. (Did you mean --with-milk?) brew --help shows the usage."
  })
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
      message: /--wait is ".*": give a duration from 0s to 1d \(a number and s, m, h or d\)/
    })
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

test('times are parsed as points in time or as durations ago, and durations are formatted in two units', () => {
  const nowMs = Date.parse('2026-03-01T12:00:00Z')
  assert.equal(parseMoment('90s', 'since', nowMs), nowMs - 90_000)
  assert.equal(parseMoment('2026-02-28T12:00Z', 'since', nowMs), nowMs - 86_400_000)
  assert.throws(() => parseMoment('soon', 'since', nowMs), /--since is "soon"/)
  const durations = [85, 1_240, 59_000, 725_000, 3_600_000, 100_000_000].map(formatDuration)
  assert.deepEqual(durations, ['85ms', '1.2s', '59s', '12m 5s', '1h', '1d 3h'])
})

test('rows of texts have a title for each column, and no line ends in spaces', () => {
  const rows = [
    ['kafka', 'ok'],
    ['registry', '']
  ]
  assert.equal(formatRows(['part', 'health'], rows), ['part      health', 'kafka     ok', 'registry'].join('\n'))
})
