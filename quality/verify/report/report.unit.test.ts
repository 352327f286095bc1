import assert from 'node:assert/strict'
import { test } from 'node:test'
import { check } from '../checker/check.ts'
import { cleanHistory } from '../checker/testing/clean-history.ts'
import { withRates } from '../checker/testing/with-rates.ts'
import { describeReport } from './describe.ts'
import { toReport } from './report.ts'

const history = withRates(cleanHistory(8))

test('the report of a run without violations is ok and its counts add up', () => {
  const report = toReport(history, check(history))
  const { orders } = report
  assert.equal(report.ok, true)
  assert.equal(orders.placed, orders.accepted + orders.refused + orders.unknown)
  assert.equal(orders.stored + orders.poison, orders.reserved + orders.failed + orders.deadLettered)
  assert.equal(orders.notifiedEvents, orders.reserved + orders.failed + orders.confirmed + orders.released)
  assert.deepEqual(
    { kill: report.faults.kill, replace: report.faults.replace, cut: report.faults.cut },
    { kill: 1, replace: 1, cut: 0 }
  )
  assert.match(describeReport(report), /^(\w+: .*\n){5}\n/)
  assert.match(describeReport(report), /No violation\./)
})

test('the report lists every failpoint of every service, hit or not', () => {
  const passes = [...history.passes, { pid: 100, atMs: 0, point: 'outputs-written', signal: 'SIGKILL' as const }]
  const { failpointsHit } = toReport({ ...history, passes }, [])
  assert.equal(failpointsHit['inventory outputs-written'], 1)
  assert.equal(failpointsHit['inventory before-commit'], 0)
  assert.equal(failpointsHit['notification batch-read'], 0)
})

test('violations are printed with their context', () => {
  const broken = { ...history, notifications: history.notifications.slice(1) }
  const text = describeReport(toReport(broken, check(broken)))
  assert.match(
    text,
    /VIOLATION of guarantee 11: this outcome has no notification\n {2}request .*\n( {2}change .*\n)* {2}record /
  )
  assert.match(text, /\d+ violations\.$/)
})

test('a failed cross-check makes the report not ok', () => {
  const crossCheck = { agrees: false, counts: { 'orders (Java)': [5, 4] as const } }
  const report = toReport(history, check(history), crossCheck)
  assert.equal(report.ok, false)
  assert.match(describeReport(report), /DISAGREE: orders \(Java\) 5 \(history\) but 4/)
})
