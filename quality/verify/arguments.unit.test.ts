import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseCommand } from '@orderly/command-line'
import { serviceNames } from '@orderly/launcher'
import { spec, toArguments } from './arguments.ts'

const readArguments = (words: readonly string[]) => toArguments(parseCommand(spec, words))

test('without arguments the defaults apply and the seed is an integer', () => {
  const { durationMs, topology, seed } = readArguments([])
  assert.equal(durationMs, 60_000)
  const instances = Object.fromEntries(serviceNames.map(name => [name, 2]))
  assert.deepEqual(topology, { instances, brokers: 1, hasConnect: false })
  assert.ok(Number.isInteger(seed))
})

test('all options are parsed', () => {
  const said = '--seed 7 --duration 2m --instances inventory=3,order=1 --brokers 3 --with connect --rate 20 --json'
  const { seed, durationMs, topology, requestsPerSecond, asJSON } = readArguments(said.split(' '))
  assert.deepEqual(
    { seed, durationMs, requestsPerSecond, asJSON },
    { seed: 7, durationMs: 120_000, requestsPerSecond: 20, asJSON: true }
  )
  assert.partialDeepStrictEqual(topology, {
    instances: { order: 1, inventory: 3, notification: 2 },
    brokers: 3,
    hasConnect: true
  })
})

test('--mutants selects all mutants, or those named', () => {
  assert.equal(readArguments([]).mutants, undefined)
  assert.deepEqual(readArguments(['--mutants']).mutants, [])
  assert.deepEqual(readArguments(['--mutants', 'unkeyed', 'off-by-one']).mutants, ['unkeyed', 'off-by-one'])
})

test('a campaign has a duration, a first seed and short runs', () => {
  const { campaignMs, seedsFrom, durationMs } = readArguments('--campaign 4h --seeds-from 2000'.split(' '))
  assert.deepEqual([campaignMs, seedsFrom, durationMs], [4 * 3_600_000, 2_000, 25_000])
  assert.equal(readArguments([]).campaignMs, undefined)
})

test('--faults selects faults of the plan by number', () => {
  assert.deepEqual(readArguments(['--faults', '0,12']).faults, [0, 12])
  assert.deepEqual(readArguments(['--faults', 'none']).faults, [])
  assert.equal(readArguments([]).faults, undefined)
})

for (const wrong of [
  '--faults 1,kill',
  '--campaign soon',
  '--seeds-from x',
  '--seed x',
  '--duration soon',
  '--brokers 2',
  '--instances kafka=1',
  '--with coffee',
  '--instances order=0',
  '--what',
  'words'
]) {
  test(`"${wrong}" is rejected`, () => {
    assert.throws(() => readArguments(wrong.split(' ')), { name: 'UsageError', exitCode: 64 })
  })
}
