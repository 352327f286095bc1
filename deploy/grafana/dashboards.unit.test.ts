import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import { dashboards } from './dashboards/index.ts'

const rulesFile = join(import.meta.dirname, '..', 'prometheus', 'rules', 'alerts.yml')
const { groups } = parse(readFileSync(rulesFile, 'utf8')) as {
  groups: { name: string; rules: { alert: string; expr: string }[] }[]
}
/** Alerts on metrics of other programs, whose exporters have their own dashboards. */
const ofOthers = 'orderly-capacity'
const conditions = new Map<string, string>()
for (const { alert, expr } of groups.filter(({ name }) => name !== ofOthers).flatMap(({ rules }) => rules)) {
  conditions.set(alert, `${conditions.get(alert) ?? ''}${expr}\n`)
}
const panels = dashboards.flatMap(({ rows }) => rows.flatMap(row => row.panels))

test('every alert has a panel that shows its metric and links its runbook', () => {
  const shown = new Set(panels.flatMap(({ alert }) => alert ?? []))
  // Both alerts share one panel.
  shown.add('OrderlyOrderLatencyBudgetBurnFast')
  assert.deepEqual([...shown].toSorted(), [...conditions.keys()].toSorted())
})

test('a panel turns red where its alert fires', () => {
  const withBoth = panels.filter(({ alert, limit }) => alert !== undefined && limit !== undefined)
  assert.ok(withBoth.length > 10)
  for (const { title, alert = '', limit, isLowBad = false } of withBoth) {
    // A count has no tolerance: its limit is 1, and its alert fires above 0.
    const bound = isLowBad ? /== -1$/m : limit === 1 ? /> 0|== 1/ : new RegExp(`\\b${limit}\\b`)
    assert.match(conditions.get(alert) ?? '', bound, `${title}: ${alert}`)
  }
})
