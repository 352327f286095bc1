import { formatDuration, plural } from '@orderly/command-line'
import { orderly } from '../command-line/command.ts'
import { type Finding, problem } from './finding.ts'
import type { Alert, Connector, Optional } from './optional-servers.ts'

export interface OptionalFacts {
  readonly nowMs: number
  readonly connect: Optional<readonly Connector[]>
  readonly alerts: Optional<readonly Alert[]>
}

/** Returns the problems of the connectors in Kafka Connect. */
export function connectFindings({ connect }: Pick<OptionalFacts, 'connect'>): Finding[] {
  if (connect.kind === 'absent') return []
  const about = 'kafka connect'
  if (connect.kind === 'failed') {
    return [
      problem(
        about,
        `does not answer: ${connect.failure}`,
        'start it (locally npm start -- --with connect), or correct CONNECT_URL: without it, the audit tables receive nothing'
      )
    ]
  }
  if (connect.answer.length === 0) {
    return [
      { severity: 'hint', about, what: 'has no connectors', todo: 'install them: see docs/guides/audit-tables.md' }
    ]
  }
  return connect.answer.flatMap(({ name, state, trace, tasks, operatorNeeded }) => {
    if (operatorNeeded !== undefined) return [stoppedAudit(name, operatorNeeded)]
    const restart = `${orderly} audit restart --connector ${name}`
    const todo = `fix the cause (docs/runbooks/OrderlyAuditStopped.md), then ${restart}`
    const found: Finding[] = []
    if (state === 'FAILED') found.push(problem(`connector ${name}`, `failed: ${trace ?? 'no reason given'}`, todo))
    if (state === 'PAUSED' || state === 'STOPPED') {
      const what = `is ${state.toLowerCase()}`
      found.push({ severity: 'hint', about: `connector ${name}`, what, todo: restart })
    }
    const failed = tasks.filter(task => task.state === 'FAILED')
    for (const [reason, same] of Map.groupBy(failed, task => task.trace ?? 'no reason given')) {
      const what = `${plural(same.length, 'task')} of ${tasks.length} failed: ${reason}`
      found.push(problem(`connector ${name}`, what, todo))
    }
    if (state === 'RUNNING' && tasks.length === 0) {
      found.push(problem(`connector ${name}`, 'has no tasks', `check the log of Kafka Connect, then ${restart}`))
    }
    return found
  })
}

/**
 * Returns the finding for a connector that only an operator can let continue, with the topic that
 * it stopped at.
 */
function stoppedAudit(name: string, reason: string): Finding {
  const topic = /^The topic (\S+) was created again/.exec(reason)?.[1]
  const what = topic === undefined ? 'has stopped' : `has stopped at the topic ${topic}`
  const [cause = reason] = reason.split('. To keep those rows')
  const todo =
    topic === undefined
      ? `fix the cause (docs/runbooks/OrderlyAuditStopped.md), then ${orderly} audit restart --connector ${name}`
      : `find out who deleted the topic, then ${orderly} audit new-generation --topic ${topic} --connector ${name}`
  return problem(`connector ${name}`, `${what}: ${cause.replace(/\.$/, '')}`, todo)
}

/** Returns the firing alerts. An alert that pages is a problem. */
export function alertFindings({ alerts, nowMs }: Pick<OptionalFacts, 'alerts' | 'nowMs'>): Finding[] {
  if (alerts.kind === 'absent') return []
  if (alerts.kind === 'failed') {
    const todo =
      'start it (locally npm start -- --with monitoring), or correct PROMETHEUS_URL: without it, alerts are unknown'
    return [problem('prometheus', `does not answer: ${alerts.failure}`, todo)]
  }
  return alerts.answer.map(({ name, severity, summary, runbook, sinceMs }) => ({
    severity: severity === 'page' ? 'problem' : 'hint',
    about: `alert ${name}`,
    what: `has fired for ${formatDuration(nowMs - sinceMs)}: ${summary}`,
    todo: runbook === undefined ? 'fix what its rule in Prometheus describes' : `see ${runbook}`
  }))
}

/** Returns what could not be checked because the address of a server is unknown. */
export function notChecked({ alerts, connect }: Pick<OptionalFacts, 'alerts' | 'connect'>): string[] {
  return [
    ...(alerts.kind === 'absent' ? ['alerts (set PROMETHEUS_URL)'] : []),
    ...(connect.kind === 'absent' ? ['Kafka Connect (set CONNECT_URL)'] : [])
  ]
}
