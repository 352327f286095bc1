import { recordKey } from '@orderly/contracts'
import { deadLetterHeaders, deadLetterTopic, type OutputRecord } from '@orderly/kafka'
import type { Delivery, Failure } from '../domain/delivery.ts'

/** A topic of its own: a notification that one target does not get parks nothing of the results, nor of other targets. */
export const notificationsDeadLetterTopic = deadLetterTopic('notifications')

/** Contains everything that is needed to understand the delivery and to send it by hand, under the key of the order's owner. */
export function toDeadLetter(delivery: Delivery, attempts: number, { code, reason }: Failure): OutputRecord {
  const { target, notification, traceparent, ageMs } = delivery
  return {
    topic: notificationsDeadLetterTopic,
    key: recordKey(notification),
    value: Buffer.from(JSON.stringify({ target, notification, attempts, ageMs: Math.round(ageMs), code, reason })),
    headers: deadLetterHeaders(
      {
        'event-id': notification.id,
        'content-type': 'application/json',
        traceparent,
        ...(notification.caller !== undefined && { caller: notification.caller }),
        'notification-target': target
      },
      { stage: 'notification-delivery', code, reason }
    )
  }
}
