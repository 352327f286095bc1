import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { projectDirectory } from '@orderly/launcher'
import { programsOrSkip } from '@orderly/launcher/testing'
import { parse } from 'yaml'

interface Alert {
  readonly alert?: string
  readonly labels?: { readonly severity?: string }
  readonly annotations?: { readonly summary?: string; readonly runbook?: string }
}

interface RuleTest {
  readonly alert_rule_test: readonly { readonly alertname: string; readonly exp_alerts: readonly unknown[] }[]
}

const here = import.meta.dirname
const ruleFiles = readdirSync(join(here, 'rules')).map(name => join(here, 'rules', name))
const testFiles = readdirSync(join(here, 'tests')).map(name => join(here, 'tests', name))
const read = (file: string) => parse(readFileSync(file, 'utf8'))
const alerts = ruleFiles
  .flatMap(file => (read(file) as { groups: { rules: Alert[] }[] }).groups)
  .flatMap(({ rules }) => rules)
  .filter(({ alert }) => alert !== undefined)
const run = promisify(execFile)

test('promtool accepts the rules and the configuration', async t => {
  const programs = programsOrSkip(t, 'promtool')
  if (programs === undefined) return
  await run(programs.promtool, ['check', 'rules', ...ruleFiles])
  await run(programs.promtool, ['check', 'config', join(here, 'prometheus.yml')])
})

test('every alert fires and stays silent as its rule tests expect', async t => {
  const programs = programsOrSkip(t, 'promtool')
  if (programs === undefined) return
  await run(programs.promtool, ['test', 'rules', ...testFiles])
})

test('every alert has a test that fires and one that stays silent', () => {
  const tests = testFiles.flatMap(file => (read(file) as { tests: RuleTest[] }).tests)
  const tested = tests.flatMap(each => each.alert_rule_test)
  for (const { alert } of alerts) {
    const own = tested.filter(({ alertname }) => alertname === alert)
    assert.ok(
      own.some(({ exp_alerts }) => exp_alerts.length > 0),
      `${alert} has no test that fires`
    )
    assert.ok(
      own.some(({ exp_alerts }) => exp_alerts.length === 0),
      `${alert} has no test that stays silent`
    )
  }
})

test('every alert has a severity, a summary and a runbook with symptom, impact, diagnosis and mitigation', () => {
  const pages = new Set(readdirSync(join(projectDirectory, 'docs', 'runbooks')).map(name => `docs/runbooks/${name}`))
  for (const { alert = '', labels, annotations } of alerts) {
    assert.match(labels?.severity ?? '', /^(page|ticket)$/, alert)
    assert.ok(annotations?.summary, alert)
    const page = readFileSync(join(projectDirectory, annotations?.runbook ?? ''), 'utf8')
    assert.match(page, new RegExp(`^# .*\\b${alert}\\b`), alert)
    for (const heading of ['## Symptom', '## Impact', '## Diagnosis', '## Mitigation'])
      assert.ok(page.includes(heading), `${alert}: ${heading}`)
    if (page.includes('npm run orderly -- ')) assert.match(page, /deploy\/orderly-toolbox -- orderly \w+/, alert)
    pages.delete(annotations?.runbook ?? '')
  }
  assert.deepEqual([...pages], [], 'runbooks without an alert')
})
