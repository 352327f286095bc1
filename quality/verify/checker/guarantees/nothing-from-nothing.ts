import { type Evidence, resultTopics } from '../evidence.ts'
import type { Finding, Guarantee } from '../guarantee.ts'
import { checkReads } from './reads-agree.ts'

export const nothingFromNothing: Guarantee = {
  number: 3,
  promise:
    'Every outcome has an order. During the run, each committed reader returns every committed record once, in order, with one value, and nothing else.',
  check: evidence => [...findOrphans(evidence), ...checkReads(evidence)]
}

function findOrphans({
  history,
  ordersByID,
  outcomesByID,
  settlementsByID,
  rowsByID,
  notificationsByID,
  visible
}: Evidence): Finding[] {
  const findings: Finding[] = []
  for (const [orderID, records] of [...outcomesByID, ...settlementsByID]) {
    if (!ordersByID.has(orderID))
      findings.push({ orderID, records, summary: 'an outcome without an order in the topic' })
  }
  for (const orderID of rowsByID.keys()) {
    if (!ordersByID.has(orderID))
      findings.push({ orderID, summary: 'the database decided an order that is not in the topic' })
  }
  const eventIDs = new Set(resultTopics.flatMap(topic => visible(topic).map(idOf)))
  for (const [id, [line]] of notificationsByID) {
    if (eventIDs.has(id)) continue
    findings.push({
      orderID: line?.orderID,
      atMs: line?.atMs ?? history.startedAtMs,
      summary: `notification ${id} reports an outcome that was never committed`
    })
  }
  return findings
}

const idOf = ({ headers }: { headers: Readonly<Record<string, string>> }): string => headers['event-id'] ?? ''
