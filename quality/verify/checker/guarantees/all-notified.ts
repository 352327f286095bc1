import { failureReasons, topicNames } from '@orderly/contracts'
import type { NotificationLine, RecordedRecord } from '../../history/history.ts'
import { type Evidence, positionKey } from '../evidence.ts'
import type { Finding, Guarantee } from '../guarantee.ts'
import { checkWebhooks } from './all-delivered.ts'

/** Returns the kind of notification that an event needs, and its reason. */
function kindOf({ topic, event }: RecordedRecord): string {
  switch (topic) {
    case topicNames.inventoryReserved:
      return 'order-reserved'
    case topicNames.inventoryConfirmed:
      return 'order-confirmed'
    case topicNames.inventoryReleased:
      return event?.cause === 'expired' ? 'order-expired' : 'order-cancelled'
    default:
      return event?.reason === failureReasons.cancelled ? 'order-cancelled' : `order-failed ${event?.reason}`
  }
}

export const allNotified: Guarantee = {
  number: 11,
  promise:
    'Every outcome, confirmation and release is delivered at least once to every target, signed and with one stable id, or becomes a dead letter.',
  check: evidence => [...checkLines(evidence), ...checkWebhooks(evidence)]
}

function checkLines({
  history,
  outcomesByID,
  settlementsByID,
  notificationsByID,
  deadLettersByOrigin
}: Evidence): Finding[] {
  const findings: Finding[] = []
  const eventIDs = new Set<string | undefined>()
  for (const [orderID, results] of [...outcomesByID, ...settlementsByID]) {
    for (const outcome of results) {
      eventIDs.add(outcome.headers['event-id'])
      const about = { orderID, userID: outcome.event?.userID, records: [outcome] }
      const lines = notificationsByID.get(outcome.headers['event-id'] ?? '') ?? []
      if (lines.length === 0 && !deadLettersByOrigin.has(positionKey(outcome))) {
        findings.push({ ...about, summary: 'this outcome has no notification' })
      }
      const wrong = lines.find(
        line =>
          kindAndReason(line) !== kindOf(outcome) || line.orderID !== orderID || line.userID !== outcome.event?.userID
      )
      if (wrong !== undefined) findings.push({ ...about, summary: `notified as ${describe(wrong)}` })
    }
  }
  for (const [orderID, lines] of Map.groupBy(history.notifications, line => line.orderID)) {
    const strange = new Set(lines.map(({ id }) => id).filter(id => !eventIDs.has(id)))
    if (strange.size > 0)
      findings.push({ orderID, summary: `notified under ids of no event: ${[...strange].join(', ')}` })
  }
  return findings
}

function kindAndReason({ kind, reason }: NotificationLine): string {
  return reason === undefined ? kind : `${kind} ${reason}`
}

function describe(line: NotificationLine): string {
  const { orderID, userID } = line
  return `${kindAndReason(line)} of order ${orderID} to ${userID}`
}
