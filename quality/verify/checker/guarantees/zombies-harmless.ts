import { partitionKey } from '@orderly/kafka'
import type { History, Incarnation, Pass, RecordedRecord } from '../../history/history.ts'
import { slowdownIn } from '../../history/slowdown.ts'
import { type Evidence, positionKey } from '../evidence.ts'
import type { Finding, Guarantee } from '../guarantee.ts'

/**
 * Maximum time until a zombie exits, counted from when it can notice its replacement: from its
 * resumption, and from when the brokers are available again. A slow machine extends both.
 */
const leaveWithinMs = 15_000
const brokersBackWithinMs = 20_000

export const zombiesHarmless: Guarantee = {
  number: 12,
  promise: 'A zombie (an instance that was replaced and resumes) commits nothing, neither in Kafka nor in Postgres.',
  check: evidence => [...findCommits(evidence), ...findOldEpochs(evidence)]
}

function findCommits({ history }: Evidence): Finding[] {
  const passes = Map.groupBy(history.passes, ({ pid }) => pid)
  return history.incarnations.flatMap(zombie => {
    const { replacedAtMs, resumedAtMs, instance, pid } = zombie
    if (replacedAtMs === undefined || resumedAtMs === undefined) return []
    const findings: Finding[] = []
    const commit = commitAfter(passes.get(pid) ?? [], replacedAtMs)
    if (commit !== undefined) {
      findings.push({
        pid,
        atMs: commit.atMs,
        summary: `process ${pid} of ${instance} was replaced, resumed, and committed`
      })
    }
    if (staysOn(zombie, history)) {
      const summary = `process ${pid} of ${instance} was replaced, resumed, and did not exit in time`
      findings.push({ pid, atMs: resumedAtMs, summary })
    }
    return findings
  })
}

/**
 * Returns the first commit that began after the replacement. A commit that was in flight when the
 * process froze took place before the replacement; only its answer arrives later. There can be at
 * most one, so without passes of `before-commit` the first commit does not count.
 */
function commitAfter(passes: readonly Pass[], replacedAtMs: number): Pass | undefined {
  const later = passes.filter(({ atMs }) => atMs >= replacedAtMs)
  const commits = later.filter(({ point }) => point === 'after-commit')
  if (!passes.some(({ point }) => point === 'before-commit')) return commits[1]
  const begun = later.findIndex(({ point }) => point === 'before-commit')
  return begun < 0 ? undefined : later.slice(begun).find(({ point }) => point === 'after-commit')
}

function staysOn({ resumedAtMs = 0, endedAtMs }: Incarnation, history: History): boolean {
  const after = (fromMs: number, boundMs: number) =>
    fromMs + boundMs * slowdownIn(history.machine, fromMs, fromMs + boundMs)
  let untilMs = after(resumedAtMs, leaveWithinMs)
  for (const { kind, target, startedAtMs, endedAtMs: overMs } of history.faults) {
    const keepsFromBrokers = target.includes('kafka-') || kind === 'mute-at-point'
    if (keepsFromBrokers && startedAtMs <= untilMs && overMs >= resumedAtMs)
      untilMs = Math.max(untilMs, after(overMs, brokersBackWithinMs))
  }
  return (endedAtMs ?? history.endedAtMs) > untilMs
}

/** Finds records of a producer epoch that follow records of a newer epoch. */
function findOldEpochs({ history }: Evidence): Finding[] {
  const newest = new Map<string, RecordedRecord>()
  const findings: Finding[] = []
  for (const record of history.records) {
    if (record.producerID < 0) continue
    const writer = `${partitionKey(record)} ${record.producerID}`
    const before = newest.get(writer)
    if (before !== undefined && record.producerEpoch < before.producerEpoch) {
      const summary = `${positionKey(record)} was written under epoch ${record.producerEpoch} after one of epoch ${before.producerEpoch}`
      findings.push({ summary, records: [before, record], orderID: record.event?.orderID })
    } else newest.set(writer, record)
  }
  return findings
}
