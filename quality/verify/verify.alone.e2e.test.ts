import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Report } from './report/report.ts'
import { runVerify } from './testing/run-verify.ts'

for (const seed of [101, 202, 303]) {
  test(`a run with seed ${seed} has no violations and agrees with the cross-check`, async t => {
    const { code, output, progress } = await runVerify(t, `--seed=${seed}`, '--duration=20s')
    assert.notEqual(code, 2, progress)
    const report = JSON.parse(output) as Report
    const found = report.guarantees.flatMap(({ violations }) => violations)
    assert.deepEqual(found, [], progress)
    assert.equal(report.crossCheck?.agrees, true, JSON.stringify(report.crossCheck))
    // A machine that is too slow for most requests makes a run inconclusive, although the product has no fault.
    assert.deepEqual([report.ok, code], report.inconclusive.length === 0 ? [true, 0] : [false, 3], progress)
    for (const reason of report.inconclusive) t.diagnostic(reason)
    assert.ok(report.orders.accepted > 100 && report.orders.reserved > 0 && report.orders.failed > 0, progress)
  })
}
