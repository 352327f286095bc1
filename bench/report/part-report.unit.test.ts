import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { describeTargets, figure, isMet, saveReport } from './part-report.ts'

test('a target is met on its side of what is wanted', () => {
  const target = { what: 'rate', wanted: 2, measured: 2 } as const
  assert.ok(isMet({ ...target, direction: 'at least' }) && isMet({ ...target, direction: 'at most' }))
  assert.ok(!isMet({ ...target, measured: 1.9, direction: 'at least' }))
  assert.ok(!isMet({ ...target, measured: 2.1, direction: 'at most' }))
  assert.match(
    describeTargets([{ ...target, measured: 1, direction: 'at least' }]),
    /\| rate \| at least 2 \| 1\.00 \| \*\*missed\*\* \|/
  )
})

test('figures are as precise as they are small', () => {
  assert.deepEqual([0.123, 12.34, 123_456.7, Number.NaN].map(figure), ['0.12', '12.3', '123,457', '–'])
})

test('a part is written as a page with its plots, and listed with the others', async t => {
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
