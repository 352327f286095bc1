import { topicNames } from '@orderly/contracts'
import type { OrderRequest, RecordedRecord } from '../../history/history.ts'
import { optionalFieldNames } from '../../plan/load.ts'
import { describeDemand, type Evidence, isSameDemand, positionKey, sumBySKU, traceOf } from '../evidence.ts'
import type { Finding, Guarantee } from '../guarantee.ts'

export const acceptedOnce: Guarantee = {
  number: 1,
  promise:
    'An order answered 202 is in orders.created exactly once per idempotency key, one answered 4xx never, one without an answer once or not at all. A valid order is not refused.',
  check(evidence) {
    const attempts = Map.groupBy(evidence.history.requests, ({ id, idempotencyKey }) => idempotencyKey ?? id)
    return [...[...attempts.values()].flatMap(own => checkOrder(evidence, own)), ...findUnexpected(evidence)]
  }
}

function checkOrder({ history, ordersByTrace }: Evidence, attempts: readonly OrderRequest[]): Finding[] {
  const [first] = attempts
  if (first === undefined) return []
  const records = attempts.flatMap(({ id }) => ordersByTrace.get(id) ?? [])
  const about = { requestID: first.id, userID: first.userID, records, orderID: records[0]?.event?.orderID }
  const findings: Finding[] = []
  const accepted = attempts.flatMap(({ result }) => (result.kind === 'ok' ? [result.orderID] : []))
  const isOpen = attempts.some(({ result }) => result.kind === 'unknown')

  if (records.length > 1) {
    findings.push({ ...about, summary: `the order was placed once, but is in the topic ${records.length} times` })
  }
  if (accepted.length > 0 && records.length === 0) {
    findings.push({ ...about, orderID: accepted[0], summary: 'the order was answered 202, but is not in the topic' })
  }
  if (accepted.length === 0 && !isOpen && records.length > 0) {
    findings.push({ ...about, summary: 'the order was refused, but is in the topic' })
  }
  if (first.defect !== undefined && accepted.length > 0) {
    findings.push({ ...about, summary: `an invalid order (${first.defect}) was answered 202` })
  }
  const refused = attempts.find(({ result }) => result.kind === 'failed')
  // With Kafka Connect, every second instance writes a version of the event that lacks some fields.
  if (first.defect === undefined && history.audit === undefined && refused?.result.kind === 'failed') {
    findings.push({ ...about, summary: `a valid order was refused with ${refused.result.status}` })
  }
  for (const record of records) {
    for (const orderID of accepted) {
      if (record.event?.orderID !== orderID) {
        findings.push({ ...about, summary: `answered as ${orderID}, stored as ${record.event?.orderID}` })
      }
    }
    const difference = differenceBetween(first, record)
    if (difference !== undefined)
      findings.push({ ...about, summary: `stored with other content than placed: ${difference}` })
  }
  return findings
}

function differenceBetween(request: OrderRequest, { event, key }: RecordedRecord): string | undefined {
  if (event?.userID !== request.userID || key !== request.userID) {
    return `user ${request.userID} became ${event?.userID} under the key ${key}`
  }
  if (event.totalMinor !== request.totalMinor) return `total ${request.totalMinor} became ${event.totalMinor}`
  for (const name of optionalFieldNames) {
    const [placed = null, stored = null] = [request[name], event[name]]
    if (placed !== stored) return `${name} ${placed} became ${stored}`
  }
  const [placed, stored] = [sumBySKU(request.items), sumBySKU(event.items ?? [])]
  if (!isSameDemand(placed, stored)) return `${describeDemand(placed)} became ${describeDemand(stored)}`
  return undefined
}

function findUnexpected({ history, visible, requestsByID }: Evidence): Finding[] {
  const poison = new Set(history.poison.map(({ id }) => id))
  return visible(topicNames.ordersCreated).flatMap(record => {
    const isPlaced = record.event !== undefined && requestsByID.has(traceOf(record) ?? '')
    if (isPlaced || poison.has(record.headers['verify-poison'] ?? '')) return []
    const summary = `the record at ${positionKey(record)} belongs to no request`
    return [{ summary, records: [record], orderID: record.event?.orderID }]
  })
}
