import { topicNames } from '@orderly/contracts'
import type { RecordedRecord, SettlementRow, WishRequest } from '../../history/history.ts'
import { describeDemand, type Evidence, isSameDemand, settlementTopics, sumBySKU } from '../evidence.ts'
import type { Finding } from '../guarantee.ts'
import { changesOf, type Expected, replayChanges } from '../wishes.ts'

/** So long may it take from the end of a hold until its stock is given back, faults and all. */
const expiresWithinMs = 20_000

/**
 * What is asked of an order is decided by the log: whoever replays the changes of an order in their sequence knows what had to
 * become of it. That, once each, is what the topics and the database must tell.
 */
export function checkSettlements(evidence: Evidence): Finding[] {
  const orderIDs = new Set([...evidence.outcomesByID.keys(), ...evidence.settlementsByID.keys()])
  return [
    ...[...orderIDs].flatMap(orderID => checkOrder(evidence, orderID)),
    ...evidence.history.wishes.flatMap(wish => checkAnswer(evidence, wish))
  ]
}

function checkOrder(evidence: Evidence, orderID: string): Finding[] {
  const outcome = evidence.outcomesByID.get(orderID)?.[0]
  const changes = changesOf(evidence, orderID)
  const told = evidence.settlementsByID.get(orderID) ?? []
  const rows = evidence.settlementRowsByID.get(orderID) ?? []
  const about = {
    orderID,
    userID: outcome?.event?.userID,
    records: [...changes, ...(outcome ? [outcome] : []), ...told]
  }
  const find = (summary: string): Finding[] => [{ ...about, summary }]

  if (outcome?.topic !== topicNames.inventoryReserved) {
    if (told.length > 0 || rows.length > 0) return find('something became of an order that was never reserved')
    const wasCancelled = changes.some(({ event }) => event?.change === 'cancel')
    return outcome?.event?.reason === 'CANCELLED' && !wasCancelled ? find('cancelled, and nobody asked for that') : []
  }
  const holdUntilMs = outcome.event?.holdUntilMs ?? null
  const expected = replayChanges(changes, holdUntilMs)
  const findings = (['confirmed', 'released'] as const).flatMap(kind => {
    const ofKind = told.filter(({ topic }) => settlementTopics[topic] === kind)
    const summary = compare(
      kind,
      expected,
      ofKind,
      rows.filter(row => row.kind === kind)
    )
    return summary === undefined ? [] : find(summary)
  })
  const wrong = told.find(({ event, key }) => {
    const isSame = isSameDemand(sumBySKU(event?.items ?? []), sumBySKU(outcome.event?.items ?? []))
    return !isSame || key !== outcome.key || event?.userID !== outcome.event?.userID
  })
  if (wrong !== undefined) {
    const demands = [outcome, wrong].map(({ event }) => describeDemand(sumBySKU(event?.items ?? [])))
    findings.push(...find(`${demands[0]} of ${outcome.key} became ${demands[1]} of ${wrong.key}`))
  }
  const isOpen = holdUntilMs !== null && expected.confirmed === undefined && expected.released === undefined
  // What was asked behind poison is parked, the expiry as well.
  const isHeldUp = changes.length < (evidence.changesByID.get(orderID) ?? []).length
  if (isOpen && !isHeldUp && holdUntilMs + expiresWithinMs <= evidence.history.endedAtMs) {
    findings.push(...find('its hold has ended long ago, and nobody asked for its expiry'))
  }
  return findings
}

function compare(
  kind: 'confirmed' | 'released',
  expected: Expected,
  told: readonly RecordedRecord[],
  rows: readonly SettlementRow[]
): string | undefined {
  const cause = expected[kind]
  if (told.length > 1) return `${kind} ${told.length} times`
  if (cause === undefined) {
    if (told.length > 0) return `${kind}, which the log does not ask for`
    return rows.length > 0 ? `the database has ${kind} it, which the log does not ask for` : undefined
  }
  const why = `${cause.event?.change} in the log at ${cause.partition}/${cause.offset}`
  if (told.length === 0) return `${why}, and it was never ${kind}`
  const [row] = rows
  if (row === undefined) return `${kind}, and the database does not know`
  if (row.partition !== cause.partition || row.offset !== cause.offset) {
    return `${why}, but the database has ${kind} it for ${row.partition}/${row.offset}`
  }
  const causes = [told[0]?.event?.cause, row.cause]
  if (kind === 'released' && causes.some(given => given !== expected.cause)) {
    return `released as ${causes.join(' and ')}, where the log says ${expected.cause}`
  }
  return undefined
}

/** Who was told something about what they wanted was told the truth. */
function checkAnswer(evidence: Evidence, { id, orderID, userID, wish, result, endedAtMs }: WishRequest): Finding[] {
  const about = { orderID, userID, atMs: endedAtMs }
  const changes = evidence.changesByID.get(orderID) ?? []
  const told = evidence.settlementsByID.get(orderID) ?? []
  const outcome = evidence.outcomesByID.get(orderID)?.[0]
  const cancelledEarly = outcome?.event?.reason === 'CANCELLED'
  const isTold = (topic: string, cause?: string) =>
    told.some(record => record.topic === topic && (cause === undefined || record.event?.cause === cause))
  if (result.kind === 'asked') {
    const isThere = changes.some(
      ({ headers, event }) => headers.traceparent?.split('-')[1] === id && event?.change === wish
    )
    return isThere ? [] : [{ ...about, summary: `the ${wish} was answered 202 and is not in the log` }]
  }
  if (result.kind === 'fulfilled') {
    const isTrue =
      wish === 'confirm'
        ? isTold(topicNames.inventoryConfirmed)
        : cancelledEarly || isTold(topicNames.inventoryReleased, 'cancelled')
    return isTrue ? [] : [{ ...about, summary: `the ${wish} was answered as done, and it is not` }]
  }
  if (result.kind !== 'refused') return []
  const truths: Readonly<Record<string, boolean>> = {
    ORDER_FAILED: outcome?.topic === topicNames.inventoryFailed && !cancelledEarly,
    ORDER_CANCELLED: cancelledEarly || isTold(topicNames.inventoryReleased, 'cancelled'),
    ORDER_EXPIRED: isTold(topicNames.inventoryReleased, 'expired'),
    ORDER_HAS_NO_HOLD: (evidence.ordersByID.get(orderID)?.[0]?.event?.holdSeconds ?? null) === null
  }
  return truths[result.code] === true
    ? []
    : [{ ...about, summary: `the ${wish} was refused as ${result.code}, wrongly` }]
}
