import { formatRows } from '@orderly/command-line'
import type { Violation } from '../checker/check.ts'
import type { RecordedRecord } from '../history/history.ts'
import type { Report } from './report.ts'
import { summarize } from './summary.ts'

/** Formats a report as text. */
export function describeReport(report: Report): string {
  const { orders, crossCheck } = report
  const sections = [
    summarize(report),
    `seed ${report.seed}, ${seconds(report.durationMs)} from the first order to the last observation`,
    `orders: ${orders.placed} placed, ${orders.accepted} accepted, ${orders.refused} refused, ${orders.unknown} unknown
stored: ${orders.stored} orders and ${orders.poison} poison records; ${orders.reserved} reserved, ${orders.failed} failed, ${orders.deadLettered} dead letters
afterwards: ${orders.confirmed} confirmed, ${orders.released} released; ${orders.poisonedChanges} poison records among change requests, ${orders.deadLetteredChanges} dead letters
notified: ${orders.notifiedEvents} events in ${orders.notifications} notifications; the endpoint accepted ${orders.webhookEvents} events in ${orders.webhooks} webhooks (${list(orders.webhookFailures)}), ${orders.exhausted} deliveries are exhausted`,
    `faults: ${list(report.faults)}`,
    `killed or frozen at failpoints: ${list(report.failpointsHit)}`,
    `processes: ${report.processes.started} started; exited with an error: ${list(report.processes.endedByThemselves)}`,
    describeRecoveries(report),
    ...(crossCheck === undefined ? [] : [describeCrossCheck(crossCheck)]),
    formatRows(
      ['', 'guarantee', 'violations'],
      report.guarantees.map(({ guarantee, promise, count }) => [
        String(guarantee),
        promise,
        count === 0 ? 'none' : String(count)
      ])
    ),
    ...report.guarantees.flatMap(({ violations }) => violations.slice(0, 3).map(describeViolation)),
    ...report.inconclusive.map(reason => `INCONCLUSIVE: ${reason}`),
    report.violations === 0 ? 'No violation.' : `${report.violations} violations.`
  ]
  return sections.join('\n\n')
}

function describeRecoveries({ recoveries }: Report): string {
  const lines = recoveries.map(({ kinds, tookMs, boundMs, missing }) => {
    const took = tookMs === undefined ? `not recovered: ${missing}` : `${seconds(tookMs)} of ${seconds(boundMs)}`
    return `  ${took} after ${kinds.join(', ')}`
  })
  return ['recovery:', ...lines].join('\n')
}

function describeCrossCheck({ agrees, counts }: NonNullable<Report['crossCheck']>): string {
  const rows = Object.entries(counts).map(
    ([what, [history, other]]) => `${what} ${history}${history === other ? '' : ` (history) but ${other}`}`
  )
  return `${agrees ? "Kafka's own client and SQL agree" : "Kafka's own client and SQL DISAGREE"}: ${rows.join(', ')}`
}

function describeViolation({ guarantee, summary, around }: Violation): string {
  const time = (atMs: number) => new Date(atMs).toISOString().slice(11, 23)
  const lines = [
    ...around.requests.map(
      ({ sentAtMs, endedAtMs, userID, items, result }) =>
        `request   ${time(sentAtMs)} to ${time(endedAtMs)} ${userID} ${JSON.stringify(items)}: ${Object.values(result).join(' ')}`
    ),
    ...around.changeRequests.map(
      ({ sentAtMs, endedAtMs, changeRequest, result }) =>
        `change    ${time(sentAtMs)} to ${time(endedAtMs)} ${changeRequest}: ${Object.values(result).join(' ')}`
    ),
    ...around.records.map(record => `record    ${time(record.timestampMs)} ${describeRecord(record)}`),
    ...(around.outcome
      ? [`row       ${time(around.outcome.decidedAtMs)} number ${around.outcome.sequence}, ${around.outcome.kind}`]
      : []),
    ...around.settlements.map(
      ({ kind, cause, sequence, partition, offset }) =>
        `row       number ${sequence}, ${kind} ${cause ?? ''} by the record at ${partition}/${offset}`
    ),
    ...around.reservation.map(({ sku, quantity }) => `held      ${quantity} × ${sku}`),
    ...around.notifications.map(
      ({ atMs, id, instance, pid }) => `notified  ${time(atMs)} ${id} by ${instance} (${pid})`
    ),
    ...around.statusReads.map(
      ({ sentAtMs, endedAtMs, result }) =>
        `status    ${time(sentAtMs)} to ${time(endedAtMs)} ${Object.values(result).join(' ')}`
    ),
    ...around.streamEvents.map(({ atMs, id, status }) => `event     ${time(atMs)} ${status} (${id})`),
    ...around.incarnations.map(
      ({ instance, pid, exit }) =>
        `process   ${instance} (${pid}) ${exit ? `ended with ${exit.code ?? exit.signal}` : 'runs'}`
    ),
    ...around.passes.map(({ atMs, pid, point }) => `passed    ${time(atMs)} ${point} (${pid})`),
    ...around.faults.map(
      ({ startedAtMs, endedAtMs, kind, target, detail = '' }) =>
        `fault     ${time(startedAtMs)} to ${time(endedAtMs)} ${kind} ${target} ${detail}`
    )
  ]
  return [`VIOLATION of guarantee ${guarantee}: ${summary}`, ...lines.map(line => `  ${line.trimEnd()}`)].join('\n')
}

function describeRecord({
  topic,
  partition,
  offset,
  key,
  transaction,
  producerID,
  producerEpoch
}: RecordedRecord): string {
  return `${topic}/${partition}/${offset} key ${key}, transaction: ${transaction}, producer ${producerID} epoch ${producerEpoch}`
}

function list(counts: Readonly<Record<string, number>>): string {
  return (
    Object.entries(counts)
      .map(([name, count]) => `${name} ${count}`)
      .join(', ') || 'none'
  )
}

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`
