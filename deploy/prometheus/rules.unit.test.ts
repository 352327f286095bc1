import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { projectDirectory } from '@orderly/launcher'
import { programsOrSkip } from '@orderly/launcher/testing'
import { parse, stringify } from 'yaml'
import { manifestsOf } from '../testing/manifests.ts'

interface Alert {
  readonly alert?: string
  readonly labels?: { readonly severity?: string }
  readonly annotations?: { readonly summary?: string; readonly runbook?: string; readonly runbook_url?: string }
}

interface RuleTest {
  readonly alert_rule_test: readonly { readonly alertname: string; readonly exp_alerts: readonly unknown[] }[]
}

const here = import.meta.dirname
/** The only alert that always fires. */
const watchdog = 'OrderlyWatchdog'
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
      alert === watchdog || own.some(({ exp_alerts }) => exp_alerts.length === 0),
      `${alert} has no test that stays silent`
    )
  }
})

test('every alert has a severity, a summary and a runbook with symptom, impact, diagnosis and mitigation', () => {
  const pages = new Set(readdirSync(join(projectDirectory, 'docs', 'runbooks')).map(name => `docs/runbooks/${name}`))
  for (const { alert = '', labels, annotations } of alerts) {
    assert.match(labels?.severity ?? '', alert === watchdog ? /^none$/ : /^(page|ticket)$/, alert)
    const [, name] = /^docs\/runbooks\/(\w+)\.md$/.exec(annotations?.runbook ?? '') ?? []
    assert.match(annotations?.runbook_url ?? '', new RegExp(`^https?://.+/runbooks/${name}\\.html$`), alert)
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

test('on Kubernetes, alerts of one namespace do not depend on another one', async t => {
  const programs = programsOrSkip(t, 'promtool')
  if (programs === undefined) return
  const directory = mkdtempSync(join(tmpdir(), 'orderly-rules-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const rules = manifestsOf<{ spec: { groups: { rules: { expr: string }[] }[] } }>('PrometheusRule')
  for (const { metadata, spec } of rules) writeFileSync(join(directory, `${metadata.name}.yml`), stringify(spec))
  const of = (namespace: string, job: string, values: string) => [
    { series: `up{namespace="${namespace}",job="${job}",instance="${job}-0"}`, values },
    ...['200', '500'].map(status => ({
      series: `orderly_http_request_duration_seconds_count{namespace="${namespace}",service="${job}",status="${status}"}`,
      values: values.includes('0x') ? '0+600x20' : status === '200' ? '0+600x20' : '0x20'
    }))
  ]
  const jobs = ['order', 'inventory', 'notification', 'aggregator']
  const isSilent = (alertname: string) => ({ eval_time: '10m', alertname, exp_alerts: [] })
  const runs = (name: string, input_series: object[], alert_rule_test: object[]) =>
    ({ name, interval: '1m', input_series, alert_rule_test }) as const
  const file = join(directory, 'test.yml')
  const evaluate = (tests: object[]) => {
    writeFileSync(file, stringify({ rule_files: rules.map(({ metadata }) => `${metadata.name}.yml`), tests }))
    return run(programs.promtool, ['test', 'rules', file])
  }
  const silent = jobs.flatMap(job => of('orderly', job, '1x20'))
  const broken = jobs.flatMap(job => of('other', job, '1 0x20'))
  await evaluate([
    runs(
      'only the other namespace is broken',
      [...silent, ...broken],
      [isSilent('OrderlyServiceDown'), isSilent('OrderlyErrorRate')]
    )
  ])
  // Without its own instances, those of the other namespace do not hide that none runs.
  const others = jobs.flatMap(job => of('other', job, '1x20'))
  const withoutOrder = [...silent.filter(({ series }) => !series.includes('"order"')), ...others]
  await assert.rejects(
    evaluate([runs('the order service is missing', withoutOrder, [isSilent('OrderlyServiceDown')])]),
    /OrderlyServiceDown.*job="order"/s
  )
  const failing = jobs.flatMap(job => of('orderly', job, '1 0x20'))
  await assert.rejects(
    evaluate([runs('its own services fail', [...failing, ...others], [isSilent('OrderlyErrorRate')])]),
    /OrderlyErrorRate.*namespace="orderly"/s
  )
})
