import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { markdownTable } from '@orderly/command-line'
import { projectDirectory } from '../directories.ts'

const rulesFile = 'deploy/prometheus/rules/alerts.yml'

/** Every alert with its severity, its summary and a link to its runbook. */
export function alertsTable(): string {
  const [, ...rules] = readFileSync(join(projectDirectory, rulesFile), 'utf8').split(/^ +- alert: /m)
  const rows = rules.map(rule => {
    const alias = /annotations: \*(\w+)/.exec(rule)?.[1]
    const annotations = alias === undefined ? rule : (rules.find(other => other.includes(`&${alias}`)) ?? rule)
    const [, name = ''] = /^(\w+)/.exec(rule) ?? []
    const [, severity = ''] = /severity: (\w+)/.exec(rule) ?? []
    const [, summary = ''] = /summary: (.*)/.exec(annotations) ?? []
    const [, runbook = ''] = /runbook: docs\/(\S+)/.exec(annotations) ?? []
    return [`[${name}](../${runbook})`, severity, readable(summary)]
  })
  return markdownTable(['alert', 'severity', 'summary'], rows)
}

/** Replaces the expressions of a template: a label by its name, a value by N. */
function readable(summary: string): string {
  return summary
    .replace(/^(['"])(.*)\1$/, '$2')
    .replaceAll(/\{\{ *\$labels\.(\w+) *\}\}/g, '`$1`')
    .replaceAll(/\{\{[^}]*\}\}/g, 'N')
}
