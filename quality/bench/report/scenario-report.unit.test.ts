import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { describeTargets, figure, isMet, saveReport } from './scenario-report.ts'

const why = 'it takes longer'

test('a target is met at its limit or on the better side of it', () => {
  const target = { what: 'rate', wanted: 2, measured: 2 } as const
  assert.ok(isMet({ ...target, direction: 'at least', why }) && isMet({ ...target, direction: 'at most', why }))
  assert.ok(!isMet({ ...target, measured: 1.9, direction: 'at least', why }))
  assert.ok(!isMet({ ...target, measured: 2.1, direction: 'at most', why }))
  assert.match(
    describeTargets([{ ...target, measured: 1, range: { lowest: 0.9, highest: 1.1 }, direction: 'at least', why }]),
    /\| rate \| at least 2 \| 1\.00 \| 0\.90 – 1\.10 \| \*\*missed\*\* \|[\s\S]*- \*rate\*: it takes longer$/
  )
})

test('smaller figures have more decimals', () => {
  assert.deepEqual([0.123, 12.34, 123_456.7, Number.NaN].map(figure), ['0.12', '12.3', '123,457', '–'])
})

test('the report of a scenario is saved with its plots and added to the index', async t => {
  const directory = await mkdtemp(join(tmpdir(), 'orderly-bench-'))
  t.after(() => rm(directory, { recursive: true }))
  const page = await saveReport(
    directory,
    'stage',
    { title: 'The stage', markdown: 'text', plots: { rate: '<svg/>' } },
    'machine'
  )
  assert.match(await readFile(page, 'utf8'), /^# The stage\n\nmachine\n\ntext\n\n!\[rate\]\(stage-rate\.svg\)\n$/)
  assert.match(await readFile(join(directory, 'README.md'), 'utf8'), /- \[The stage\]\(stage\.md\)/)
})
