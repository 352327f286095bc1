import { recordKey } from '@orderly/contracts'
import { deadLetterHeaders, deadLetterTopic, type OutputRecord } from '@orderly/kafka'
import type { Delivery, Failure } from '../domain/delivery.ts'

/**
 * Dead-letter topic of deliveries. It is separate from those of the result topics: a failed
 * delivery blocks neither keys of the results nor other targets.
 */
export const notificationsDeadLetterTopic = deadLetterTopic('notifications')

/**
 * Returns the dead letter of a delivery. It contains everything that is needed to understand the
 * delivery and to send it manually; its key is the owner of the order.
 */
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
