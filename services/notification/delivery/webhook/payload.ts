import { isoTime } from '@orderly/contracts'
import type { Notification } from '../../domain/notification.ts'

/**
 * Returns the payload defined by Standard Webhooks 1.0.0, "Payload structure". It is the same for
 * every attempt.
 * @param isForAll true if the endpoint receives notifications of several callers, so that user ids
 * alone are ambiguous
 */
export function payloadOf(notification: Notification, isForAll: boolean): string {
  const { id: _id, kind, decidedAtMs, caller, ...facts } = notification
  const data = { ...facts, ...(isForAll && caller !== undefined && { caller }) }
  return JSON.stringify({ type: kind.replace('-', '.'), timestamp: isoTime(decidedAtMs), data })
}
