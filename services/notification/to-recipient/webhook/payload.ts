import { isoTime } from '@orderly/contracts'
import type { Notification, NotificationKind } from '../../domain/notification.ts'

const types: Readonly<Record<NotificationKind, string>> = {
  'order-confirmed': 'order.confirmed',
  'order-held': 'order.held',
  'order-cancelled': 'order.cancelled',
  'order-expired': 'order.expired',
  'out-of-stock': 'order.out_of_stock',
  'unknown-sku': 'order.unknown_sku',
  'order-failed': 'order.failed'
}

/**
 * Standard Webhooks 1.0.0, "Payload structure". The same bytes for the same notification and endpoint, however often it is sent.
 * @param isForAll the endpoint gets notifications of several callers, so that user ids alone are ambiguous
 */
export function payloadOf(notification: Notification, isForAll: boolean): string {
  const { id: _id, kind, decidedAtMs, caller, ...facts } = notification
  const data = { ...facts, ...(isForAll && caller !== undefined && { caller }) }
  return JSON.stringify({ type: types[kind], timestamp: isoTime(decidedAtMs), data })
}
