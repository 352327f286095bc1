import { isoTime } from '@orderly/contracts'
import type { Notification } from '../../domain/notification.ts'

/**
 * Standard Webhooks 1.0.0, "Payload structure". The same bytes for the same notification and endpoint, however often it is sent.
 * @param isForAll the endpoint gets notifications of several callers, so that user ids alone are ambiguous
 */
export function payloadOf(notification: Notification, isForAll: boolean): string {
  const { id: _id, kind, decidedAtMs, caller, ...facts } = notification
  const data = { ...facts, ...(isForAll && caller !== undefined && { caller }) }
  return JSON.stringify({ type: kind.replace('-', '.'), timestamp: isoTime(decidedAtMs), data })
}
