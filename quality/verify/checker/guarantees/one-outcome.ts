import { type Evidence, outcomeTopics, positionKey } from '../evidence.ts'
import type { Finding, Guarantee } from '../guarantee.ts'
import { checkSettlements } from './settled-once.ts'

export const oneOutcome: Guarantee = {
  number: 2,
  promise:
    'Every order gets exactly one outcome: reserved or failed, never both, never none. Its change requests are decided in log order, with one result, which is published once.',
  check: evidence => [...checkOutcomes(evidence), ...checkSettlements(evidence)]
}

function checkOutcomes({ orders, outcomesByID, deadLettersByOrigin, rowsByID }: Evidence): Finding[] {
  return orders.flatMap((order): Finding[] => {
    const orderID = order.event?.orderID ?? ''
    const outcomes = outcomesByID.get(orderID) ?? []
    const deadLettered = deadLettersByOrigin.get(positionKey(order)) ?? []
    const row = rowsByID.get(orderID)
    const about = { orderID, userID: order.event?.userID, records: [order, ...outcomes] }
    const kinds = new Set(outcomes.map(({ topic }) => outcomeTopics[topic]))

    if (kinds.size > 1) return [{ ...about, summary: 'the order was both reserved and failed' }]
    if (outcomes.length > 1) return [{ ...about, summary: `the order has ${outcomes.length} outcomes of one kind` }]
    if (deadLettered.length > 0) {
      if (outcomes.length > 0) return [{ ...about, summary: 'the order has an outcome and a dead letter' }]
      // A cancel that precedes its order decides it, even if the order becomes a dead letter.
      if (row !== undefined && row.reason !== 'CANCELLED')
        return [{ ...about, summary: 'the order was decided in the database and is a dead letter' }]
      return []
    }
    if (outcomes.length === 0) return [{ ...about, summary: 'the order has no outcome' }]
    if (row === undefined) return [{ ...about, summary: 'the outcome in the topic is missing in the database' }]
    if (!kinds.has(row.kind))
      return [{ ...about, summary: `the outcome is ${row.kind} in the database, but not in the topic` }]
    return []
  })
}
