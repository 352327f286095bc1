import { inventoryReserved } from '@orderly/contracts/testing'
import { newTraceparent } from '@orderly/service-kit'
import { type Notification, notificationFor } from '../domain/notification.ts'
import type { Recipient } from '../domain/recipients.ts'
import type { AcceptedNotification } from '../store/delivery-store.ts'

export function notification({
  caller,
  ...fields
}: {
  orderID?: string
  userID?: string
  caller?: string
} = {}): Notification {
  return notificationFor(inventoryReserved(fields), caller)
}

/**
 * Returns recipients for targets of the operator, which receive the notifications of all callers.
 */
export function ofAll(...targets: readonly string[]): Recipient[] {
  return targets.map(target => ({ target }))
}

export function accepted(...given: readonly Notification[]): AcceptedNotification[] {
  return given.map(notification => ({ notification, traceparent: newTraceparent() }))
}
