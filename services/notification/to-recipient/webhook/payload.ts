import type { Notification } from '../../domain/notification.ts'

const types = { 'order-confirmed': 'order.confirmed', 'out-of-stock': 'order.out_of_stock' } as const

/** Standard Webhooks 1.0.0, "Payload structure". The same bytes for the same notification, however often it is sent. */
export function payloadOf(notification: Notification): string {
  const { id: _id, kind, decidedAtMs, ...data } = notification
  return JSON.stringify({ type: types[kind], timestamp: isoTime(decidedAtMs), data })
}

const latestMs = 8.64e15

/** Topics can hold times that no calendar has. */
function isoTime(timeMs: number): string {
  return new Date(Math.max(-latestMs, Math.min(latestMs, timeMs))).toISOString()
}
