import { inventoryReserved } from '@orderly/contracts/testing'
import { newTraceparent } from '@orderly/service-kit'
import { type Notification, notificationFor } from '../domain/notification.ts'
import type { AcceptedNotification } from '../store/ledger.ts'

export function notification(fields: { orderID?: string; userID?: string } = {}): Notification {
  return notificationFor(inventoryReserved(fields))
}

export function accepted(...given: readonly Notification[]): AcceptedNotification[] {
  return given.map(notification => ({ notification, traceparent: newTraceparent() }))
}
