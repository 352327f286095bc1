import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseCommand } from '@orderly/command-line'
import { scenarioNames, spec, toArguments } from './arguments.ts'

const readArguments = (words: readonly string[]) => toArguments(parseCommand(spec, words))

test('without arguments all scenarios run with the npm load generator', () => {
  assert.deepEqual(readArguments([]), {
    scenarios: scenarioNames,
    quick: false,
    profile: false,
    tool: 'npm',
    backlog: 1e6
  })
})

test('scenarios are selected by name, and backlogs accept the suffixes k and m', () => {
  const given = readArguments(['scale', 'stage', '--quick', '--backlog', '10m'])
  assert.deepEqual([given.scenarios, given.quick, given.backlog], [['scale', 'stage'], true, 1e7])
})

test('--help and -h show every scenario and option', () => {
  for (const words of [['--help'], ['stage', '-h']])
    assert.throws(
      () => readArguments(words),
      ({ name, message }: Error) =>
        name === 'HelpRequest' &&
        [...scenarioNames, '--quick', '--profile', '--tool', '--backlog'].every(word =>
          new RegExp(`^ {2}${word}\\b.* {2}\\S`, 'm').test(message)
        )
    )
})

const refusals: readonly [given: string, message: RegExp][] = [
  ['stages', /^Unknown scenario "stages"; use codec, stage,.* or none for all\.$/],
  ['--quik', /^Unknown option '--quik'\. \(Did you mean --quick\?\) npm run bench -- --help shows the usage\.$/],
  ['-q', /^Unknown option '-q'\. npm run bench -- --help shows the usage\.$/],
  ['--tool ab', /^--tool must be one of npm, wrk, k6 \(got "ab"\)\.$/],
  ['--tool', /^Option '--tool <npm\|wrk\|k6>' argument missing\. /],
  ['--tool --quick', /^--tool needs a value: npm\|wrk\|k6,/],
  ['--backlog many', /^--backlog must be a number of orders such as 50k, 1m or 10m \(got "many"\)\.$/],
  ['--quick=yes', /^Unknown option '--quick=yes'\. /],
  ['codec --profile', /^--profile does not apply to codec, only to stage,/],
  ['codec capacity --profile', /^--profile does not apply to codec and capacity, only to /],
  ['stage --tool wrk', /^--tool does not apply to stage, only to order, load\.$/],
  ['load --backlog 1m', /^--backlog does not apply to load, only to scale\.$/]
]
for (const [given, message] of refusals) {
  test(`"${given}" is rejected with the permitted values`, () => {
    assert.throws(() => readArguments(given.split(' ')), { message, exitCode: 64 })
  })
}

test('an option is accepted if it applies to at least one scenario', () => {
  assert.equal(readArguments(['codec', 'stage', '--profile']).profile, true)
  assert.equal(readArguments(['--tool', 'wrk']).tool, 'wrk')
})
