import { type RecordOwner, recordKey } from '@orderly/contracts'
import type { OrderRequest, RecordedRecord } from '../../history/history.ts'
import type { Evidence } from '../evidence.ts'
import type { Finding, Guarantee } from '../guarantee.ts'

export const orderKept: Guarantee = {
  number: 7,
  promise: "The outcomes of one user of one tenant have the same order as the user's orders.",
  check(evidence) {
    const byOwner = Map.groupBy(evidence.orders, ({ event, headers: { caller } }) =>
      JSON.stringify([event?.userID ?? '', caller])
    )
    return [...byOwner].flatMap(([owner, orders]) => {
      const [userID, caller] = JSON.parse(owner)
      return [
        // The verifier sends requests without an API key, so only these records have requests.
        ...(caller === null ? checkPlacing(evidence, userID, orders) : []),
        ...checkOutcomes(evidence, { userID, caller: caller ?? undefined }, orders),
        ...checkDecisions(evidence, userID, orders)
      ]
    })
  }
}

/** Checks that an order that was sent after the answer to another one follows it in the topic. */
function checkPlacing({ history }: Evidence, userID: string, orders: readonly RecordedRecord[]): Finding[] {
  const partitions = new Set(orders.map(({ partition }) => partition))
  if (partitions.size > 1) {
    return [
      { userID, records: orders.slice(0, 5), summary: `the orders of ${userID} are in ${partitions.size} partitions` }
    ]
  }
  const offsets = new Map(orders.map(({ event, offset }) => [event?.orderID, offset]))
  const own = history.requests.filter(request => request.userID === userID)
  const firstSentAtMs = new Map<string, number>()
  for (const { id, idempotencyKey = id, sentAtMs } of own) {
    firstSentAtMs.set(idempotencyKey, Math.min(sentAtMs, firstSentAtMs.get(idempotencyKey) ?? sentAtMs))
  }
  // Any attempt since the first may have stored the order.
  const sinceFirst = (request: OrderRequest) => {
    return { ...request, sentAtMs: firstSentAtMs.get(request.idempotencyKey ?? request.id) ?? request.sentAtMs }
  }
  const placed = own
    .filter(request => request.result.kind === 'ok')
    .map(sinceFirst)
    .map(request => ({ request, offset: offsets.get(orderIDOf(request)) ?? -1 }))
    .filter(({ offset }) => offset >= 0)
  const byStart = placed.toSorted((a, b) => a.request.sentAtMs - b.request.sentAtMs)
  const byEnd = placed.toSorted((a, b) => a.request.endedAtMs - b.request.endedAtMs)
  const findings: Finding[] = []
  let furthest = { offset: -1, orderID: '' }
  let answered = 0
  for (const { request, offset } of byStart) {
    for (let next = byEnd[answered]; next && next.request.endedAtMs < request.sentAtMs; next = byEnd[++answered]) {
      if (next.offset > furthest.offset) furthest = { offset: next.offset, orderID: orderIDOf(next.request) }
    }
    if (offset < furthest.offset) {
      const summary = `sent after the answer to ${furthest.orderID} of the same user, but stored before it`
      findings.push({ userID, orderID: orderIDOf(request), requestID: request.id, summary })
    }
  }
  return findings
}

const orderIDOf = ({ result }: OrderRequest): string => (result.kind === 'ok' ? result.orderID : '')

function checkOutcomes({ outcomesByID }: Evidence, owner: RecordOwner, orders: readonly RecordedRecord[]): Finding[] {
  const { userID } = owner
  const findings: Finding[] = []
  const last = new Map<string, RecordedRecord>()
  for (const { event } of orders) {
    const orderID = event?.orderID ?? ''
    for (const outcome of (outcomesByID.get(orderID) ?? []).slice(0, 1)) {
      const about = { userID, orderID, records: [outcome] }
      if (outcome.key !== recordKey(owner))
        findings.push({ ...about, summary: `the outcome has the wrong key ${outcome.key}` })
      const before = last.get(outcome.topic)
      if (before !== undefined && before.partition !== outcome.partition) {
        findings.push({
          ...about,
          records: [before, outcome],
          summary: `outcomes of ${userID} are in two partitions of ${outcome.topic}`
        })
      } else if (before !== undefined && outcome.offset < before.offset) {
        const summary = `its outcome precedes that of the earlier order ${before.event?.orderID}`
        findings.push({ ...about, records: [outcome, before], summary })
      }
      last.set(outcome.topic, outcome)
    }
  }
  return findings
}

/**
 * Checks that decisions have the order of their orders, except those that an early cancel decided.
 */
function checkDecisions({ rowsByID }: Evidence, userID: string, orders: readonly RecordedRecord[]): Finding[] {
  const findings: Finding[] = []
  let before = { sequence: -1, orderID: '' }
  for (const { event } of orders) {
    const row = rowsByID.get(event?.orderID ?? '')
    if (row === undefined || row.reason === 'CANCELLED') continue
    if (row.sequence < before.sequence) {
      const summary = `decided as number ${row.sequence}, before the earlier order ${before.orderID} (${before.sequence})`
      findings.push({ userID, orderID: row.orderID, atMs: row.decidedAtMs, summary })
    } else before = row
  }
  return findings
}
