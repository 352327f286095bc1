import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { projectDirectory } from '@orderly/stack'
import type { Report } from './report/report.ts'

/** Runs `npm run verify -- --json …` as people do. */
async function verify(t: TestContext, ...args: string[]) {
  const child = spawn(process.execPath, [join(projectDirectory, 'verify', 'main.ts'), '--json', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, npm_config_json: undefined }
  })
  t.after(() => child.kill('SIGTERM'))
  let output = ''
  let progress = ''
  child.stdout.setEncoding('utf8').on('data', text => {
    output += text
  })
  child.stderr.setEncoding('utf8').on('data', text => {
    progress += text
  })
  const [code] = await once(child, 'close')
  return { code, output, progress }
}

// Each has servers of its own, and waits for them half of its time.
describe('npm run verify', { concurrency: 2 }, () => {
  for (const seed of [101, 202, 303]) {
    test(`whatever seed ${seed} does to the running system, it keeps its promises`, async t => {
      const { code, output, progress } = await verify(t, `--seed=${seed}`, '--duration=20s')
      assert.notEqual(code, 2, progress)
      const report = JSON.parse(output) as Report
      const found = report.guarantees.flatMap(({ violations }) => violations)
      assert.deepEqual(found, [], progress)
      assert.equal(report.crossCheck?.agrees, true, JSON.stringify(report.crossCheck))
      assert.equal(report.ok, true)
      assert.equal(code, 0)
      assert.ok(report.orders.accepted > 100 && report.orders.reserved > 0 && report.orders.failed > 0, progress)
    })
  }

  test('a deliberate bug is found', async t => {
    const { code, output, progress } = await verify(t, '--mutants', 'off-by-one', '--seed=1')
    assert.equal(code, 0, progress)
    const [result] = JSON.parse(output) as { name: string; found: boolean; broken: number[] }[]
    assert.deepEqual({ name: result?.name, found: result?.found }, { name: 'off-by-one', found: true })
    assert.ok(result?.broken.includes(6))
  })

  test('what cannot be meant is refused with exit code 2, and nothing on standard output', async t => {
    const { code, output, progress } = await verify(t, '--brokers=2')
    assert.equal(code, 2)
    assert.equal(output, '')
    assert.match(progress, /--brokers is "2"/)
  })
})
