import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runVerify } from '../testing/run-verify.ts'

test('a deliberate bug is found', async t => {
  const { code, output, progress } = await runVerify(t, '--mutants', 'off-by-one', '--seed=1')
  assert.equal(code, 0, progress)
  const [result] = JSON.parse(output) as { name: string; found: boolean; broken: number[] }[]
  assert.deepEqual({ name: result?.name, found: result?.found }, { name: 'off-by-one', found: true })
  assert.ok(result?.broken.includes(6))
})

test('invalid arguments exit with code 64 and print nothing to stdout', async t => {
  const { code, output, progress } = await runVerify(t, '--brokers=2')
  assert.equal(code, 64)
  assert.equal(output, '')
  assert.match(progress, /--brokers must be 1 or 3 \(got "2"\)/)
})
