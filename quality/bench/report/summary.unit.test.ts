import assert from 'node:assert/strict'
import { test } from 'node:test'
import { summaryOf } from './summary.ts'

const machine = '2026-11-30 10:00 UTC, 2 cores. Load average while measuring: 1.0'

test('a summary has five lines: question, result, targets, how to read, machine', () => {
  const target = { what: 'stage ÷ franz-go', wanted: 1, measured: 2, direction: 'at least', why: '' } as const
  const report = { title: 'The stage', markdown: 'text', targets: [target, { ...target, measured: 0.5 }] }
  const lines = summaryOf('stage', report, machine).split('\n')
  assert.equal(lines.length, 5)
  assert.match(lines[1] ?? '', /^- \*\*Result\*\*: stage ÷ franz-go = 2\.00; stage ÷ franz-go = 0\.50\.$/)
  assert.match(lines[2] ?? '', /1 of 2 met/)
  assert.equal(lines[4], '- **Machine**: 2026-11-30 10:00 UTC, 2 cores.')
})

test('the result of a scenario replaces its first targets', () => {
  const summary = summaryOf('load', { title: 'Load', markdown: 'text', result: '4,186 orders/s' }, machine)
  assert.match(summary, /- \*\*Result\*\*: 4,186 orders\/s\.\n- \*\*Targets\*\*: none\./)
})
