import assert from 'node:assert/strict'
import { test } from 'node:test'
import { partNames, readArguments, usage } from './arguments.ts'

test('without arguments all parts run with the npm load generator', () => {
  assert.deepEqual(readArguments([]), { parts: partNames, quick: false, profile: false, tool: 'npm', backlog: 1e6 })
})

test('parts are selected by name, and backlogs accept the suffixes k and m', () => {
  const given = readArguments(['scale', 'stage', '--quick', '--backlog', '10m'])
  assert.deepEqual([given?.parts, given?.quick, given?.backlog], [['scale', 'stage'], true, 1e7])
})

test('--help and -h request help, which lists every part and option', () => {
  assert.equal(readArguments(['--help']), undefined)
  assert.equal(readArguments(['stage', '-h']), undefined)
  for (const word of [...partNames, '--quick', '--profile', '--tool', '--backlog'])
    assert.match(usage, new RegExp(`^ {2}${word}\\b.* {2}\\S`, 'm'))
})

const refusals: readonly [given: string, message: RegExp][] = [
  ['stages', /^Unknown part "stages"; use codec, stage,.* or none for all\.$/],
  ['--quik', /^Unknown option --quik; see npm run bench -- --help\.$/],
  ['-q', /^Unknown option -q; see npm run bench -- --help\.$/],
  ['--tool ab', /^--tool must be one of npm, wrk, k6 \(got "ab"\)\.$/],
  ['--tool', /^--tool needs a value: npm, wrk, k6\.$/],
  ['--tool --quick', /^--tool needs a value: npm, wrk, k6\.$/],
  ['--backlog many', /^--backlog must be a number of orders such as 50k, 1m or 10m \(got "many"\)\.$/],
  ['--backlog', /^--backlog needs a value: a number of orders such as 50k, 1m or 10m\.$/],
  ['--quick=yes', /^--quick takes no value; see npm run bench -- --help\.$/],
  ['--help=yes', /^--help takes no value; /],
  ['codec --profile', /^--profile does not apply to codec, only to stage,/],
  ['codec capacity --profile', /^--profile does not apply to codec and capacity, only to /],
  ['stage --tool wrk', /^--tool does not apply to stage, only to order, load\.$/],
  ['load --backlog 1m', /^--backlog does not apply to load, only to scale\.$/]
]
for (const [given, message] of refusals) {
  test(`"${given}" is rejected with the permitted values`, () => {
    assert.throws(() => readArguments(given.split(' ')), { message })
  })
}

test('an option is accepted if it applies to at least one part', () => {
  assert.equal(readArguments(['codec', 'stage', '--profile'])?.profile, true)
  assert.equal(readArguments(['--tool', 'wrk'])?.tool, 'wrk')
})
