import assert from 'node:assert/strict'
import { test } from 'node:test'
import { partNames, readArguments, usage } from './arguments.ts'

test('without a name all parts run, with the npm load generator', () => {
  assert.deepEqual(readArguments([]), { parts: partNames, quick: false, profile: false, tool: 'npm', backlog: 1e6 })
})

test('parts are named one by one, and numbers of orders are written short', () => {
  const given = readArguments(['scale', 'stage', '--quick', '--backlog', '10m'])
  assert.deepEqual([given?.parts, given?.quick, given?.backlog], [['scale', 'stage'], true, 1e7])
})

test('help is asked for by either name, and tells of every part and option', () => {
  assert.equal(readArguments(['--help']), undefined)
  assert.equal(readArguments(['stage', '-h']), undefined)
  for (const word of [...partNames, '--quick', '--profile', '--tool', '--backlog'])
    assert.match(usage, new RegExp(`^ {2}${word}\\b.* {2}\\S`, 'm'))
})

const refusals: readonly [given: string, message: RegExp][] = [
  ['stages', /^There is no part "stages": say codec, stage,.* or nothing for all\.$/],
  ['--quik', /^There is no option --quik: npm run bench -- --help says what there is\.$/],
  ['-q', /^There is no option -q: npm run bench -- --help says what there is\.$/],
  ['--tool ab', /^--tool is "ab": say npm, wrk, k6\.$/],
  ['--tool', /^--tool needs a value: say npm, wrk, k6\.$/],
  ['--tool --quick', /^--tool needs a value: say npm, wrk, k6\.$/],
  ['--backlog many', /^--backlog is "many": say a number of orders such as 50k, 1m or 10m\.$/],
  ['--backlog', /^--backlog needs a value: say a number of orders such as 50k, 1m or 10m\.$/],
  ['--quick=yes', /^--quick takes no value: npm run bench -- --help says what there is\.$/],
  ['--help=yes', /^--help takes no value: /],
  ['codec --profile', /^--profile does nothing for codec: it is for stage,/],
  ['codec capacity --profile', /^--profile does nothing for codec and capacity: /],
  ['stage --tool wrk', /^--tool does nothing for stage: it is for order, load\.$/],
  ['load --backlog 1m', /^--backlog does nothing for load: it is for scale\.$/]
]
for (const [given, message] of refusals) {
  test(`"${given}" is refused in a sentence that says what can be given`, () => {
    assert.throws(() => readArguments(given.split(' ')), { message })
  })
}

test('an option may be given where one of several parts knows it', () => {
  assert.equal(readArguments(['codec', 'stage', '--profile'])?.profile, true)
  assert.equal(readArguments(['--tool', 'wrk'])?.tool, 'wrk')
})
