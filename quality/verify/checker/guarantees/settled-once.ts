import { topicNames } from '@orderly/contracts'
import type { ChangeRequestBody, RecordedRecord, SettlementRow } from '../../history/history.ts'
import { slowdownIn } from '../../history/slowdown.ts'
import { changesOf, type Expected, replayChanges } from '../change-requests.ts'
import { describeDemand, type Evidence, isSameDemand, settlementTopics, sumBySKU } from '../evidence.ts'
import type { Finding } from '../guarantee.ts'

/** Maximum time from the end of a hold until its release, including faults; longer on a slow machine. */
const expiresWithinMs = 20_000

/**
 * Checks settlements. The log decides change requests: replaying those of an order in log order
 * gives its expected settlements. Topics and database must contain exactly these, once each.
 */
export function checkSettlements(evidence: Evidence): Finding[] {
  const orderIDs = new Set([...evidence.outcomesByID.keys(), ...evidence.settlementsByID.keys()])
  return [
    ...[...orderIDs].flatMap(orderID => checkOrder(evidence, orderID)),
    ...evidence.history.changeRequests.flatMap(changeRequest => checkAnswer(evidence, changeRequest))
  ]
}

function checkOrder(evidence: Evidence, orderID: string): Finding[] {
  const outcome = evidence.outcomesByID.get(orderID)?.[0]
  const changes = changesOf(evidence, orderID)
  const reported = evidence.settlementsByID.get(orderID) ?? []
  const rows = evidence.settlementRowsByID.get(orderID) ?? []
  const about = {
    orderID,
    userID: outcome?.event?.userID,
    records: [...changes, ...(outcome ? [outcome] : []), ...reported]
  }
  const find = (summary: string): Finding[] => [{ ...about, summary }]

  if (outcome?.topic !== topicNames.inventoryReserved) {
    if (reported.length > 0 || rows.length > 0) return find('an order that was never reserved has a settlement')
    const wasCancelled = changes.some(({ event }) => event?.change === 'cancel')
    return outcome?.event?.reason === 'CANCELLED' && !wasCancelled
      ? find('failed as cancelled without a cancel in the log')
      : []
  }
  const holdUntilMs = outcome.event?.holdUntilMs ?? null
  const expected = replayChanges(changes, holdUntilMs)
  const findings = (['confirmed', 'released'] as const).flatMap(kind => {
    const ofKind = reported.filter(({ topic }) => settlementTopics[topic] === kind)
    const summary = compare(
      kind,
      expected,
      ofKind,
      rows.filter(row => row.kind === kind)
    )
    return summary === undefined ? [] : find(summary)
  })
  const wrong = reported.find(({ event, key }) => {
    const isSame = isSameDemand(sumBySKU(event?.items ?? []), sumBySKU(outcome.event?.items ?? []))
    return !isSame || key !== outcome.key || event?.userID !== outcome.event?.userID
  })
  if (wrong !== undefined) {
    const demands = [outcome, wrong].map(({ event }) => describeDemand(sumBySKU(event?.items ?? [])))
    findings.push(...find(`${demands[0]} of ${outcome.key} was reported as ${demands[1]} of ${wrong.key}`))
  }
  const isOpen = holdUntilMs !== null && expected.confirmed === undefined && expected.released === undefined
  const { machine, endedAtMs } = evidence.history
  const slowdown = slowdownIn(machine, holdUntilMs ?? 0, endedAtMs)
  // Change requests of a blocked key become dead letters, including the expiry.
  const isHeldUp = changes.length < (evidence.changesByID.get(orderID) ?? []).length
  if (isOpen && !isHeldUp && holdUntilMs + expiresWithinMs * slowdown <= endedAtMs) {
    findings.push(...find('its hold ended long ago without an expiry in the log'))
  }
  return findings
}

function compare(
  kind: 'confirmed' | 'released',
  expected: Expected,
  reported: readonly RecordedRecord[],
  rows: readonly SettlementRow[]
): string | undefined {
  const cause = expected[kind]
  if (reported.length > 1) return `${kind} ${reported.length} times`
  if (cause === undefined) {
    if (reported.length > 0) return `${kind} without a change request in the log`
    return rows.length > 0 ? `${kind} in the database without a change request in the log` : undefined
  }
  const why = `${cause.event?.change} in the log at ${cause.partition}/${cause.offset}`
  if (reported.length === 0) return `${why}, but the order was never ${kind}`
  const [row] = rows
  if (row === undefined) return `${kind}, but not in the database`
  if (row.partition !== cause.partition || row.offset !== cause.offset) {
    return `${why}, but the database attributes it to ${row.partition}/${row.offset}`
  }
  const causes = [reported[0]?.event?.cause, row.cause]
  if (kind === 'released' && causes.some(given => given !== expected.cause)) {
    return `released as ${causes[0]} in the topic and ${causes[1]} in the database instead of ${expected.cause}`
  }
  return undefined
}

/** Checks that the answer to a cancel or confirmation was correct. */
function checkAnswer(
  evidence: Evidence,
  { id, orderID, userID, changeRequest, result, endedAtMs }: ChangeRequestBody
): Finding[] {
  const about = { orderID, userID, atMs: endedAtMs }
  const changes = evidence.changesByID.get(orderID) ?? []
  const reported = evidence.settlementsByID.get(orderID) ?? []
  const outcome = evidence.outcomesByID.get(orderID)?.[0]
  const cancelledEarly = outcome?.event?.reason === 'CANCELLED'
  const isReported = (topic: string, cause?: string) =>
    reported.some(record => record.topic === topic && (cause === undefined || record.event?.cause === cause))
  if (result.kind === 'asked') {
    const isThere = changes.some(
      ({ headers, event }) => headers.traceparent?.split('-')[1] === id && event?.change === changeRequest
    )
    return isThere ? [] : [{ ...about, summary: `the ${changeRequest} was answered 202, but is not in the log` }]
  }
  if (result.kind === 'fulfilled') {
    const isTrue =
      changeRequest === 'confirm'
        ? isReported(topicNames.inventoryConfirmed)
        : cancelledEarly || isReported(topicNames.inventoryReleased, 'cancelled')
    return isTrue ? [] : [{ ...about, summary: `the ${changeRequest} was answered 200 and has not taken effect` }]
  }
  if (result.kind !== 'refused') return []
  const truths: Readonly<Record<string, boolean>> = {
    ORDER_FAILED: outcome?.topic === topicNames.inventoryFailed && !cancelledEarly,
    ORDER_CANCELLED: cancelledEarly || isReported(topicNames.inventoryReleased, 'cancelled'),
    ORDER_EXPIRED: isReported(topicNames.inventoryReleased, 'expired'),
    ORDER_HAS_NO_HOLD: (evidence.ordersByID.get(orderID)?.[0]?.event?.holdSeconds ?? null) === null
  }
  return truths[result.code] === true
    ? []
    : [{ ...about, summary: `the ${changeRequest} was wrongly refused with ${result.code}` }]
}
