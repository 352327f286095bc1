import type { NotificationLine } from '../../history/history.ts'
import { outcomeTopics, placeOf } from '../evidence.ts'
import type { Finding, Guarantee } from '../guarantee.ts'

const kinds: Readonly<Record<string, string>> = { reserved: 'order-confirmed', failed: 'out-of-stock' }

export const allNotified: Guarantee = {
  number: 11,
  promise: 'Every outcome is notified at least once, with one stable id.',
  check({ history, outcomesByID, notificationsByID, deadLettersByOrigin }) {
    const findings: Finding[] = []
    for (const [orderID, outcomes] of outcomesByID) {
      for (const outcome of outcomes) {
        const about = { orderID, userID: outcome.event?.userID, records: [outcome] }
        const lines = notificationsByID.get(outcome.headers['event-id'] ?? '') ?? []
        if (lines.length === 0 && !deadLettersByOrigin.has(placeOf(outcome))) {
          findings.push({ ...about, summary: 'nobody was told of this outcome' })
        }
        const wrong = lines.find(
          line =>
            line.kind !== kinds[outcomeTopics[outcome.topic] ?? ''] ||
            line.orderID !== orderID ||
            line.userID !== outcome.event?.userID
        )
        if (wrong !== undefined) findings.push({ ...about, summary: `told as ${describe(wrong)}` })
      }
    }
    for (const [orderID, lines] of Map.groupBy(history.notifications, line => line.orderID)) {
      const ids = new Set(lines.map(({ id }) => id))
      if (ids.size > 1) findings.push({ orderID, summary: `told under ${ids.size} ids: ${[...ids].join(', ')}` })
    }
    return findings
  }
}

function describe({ kind, orderID, userID }: NotificationLine): string {
  return `${kind} of order ${orderID} to ${userID}`
}
