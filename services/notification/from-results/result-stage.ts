import type { Topics } from '@orderly/contracts'
import type { Stage } from '@orderly/kafka'
import { sameTraceparent } from '@orderly/service-kit'
import { type Notification, notificationFor, type Outcome } from '../domain/notification.ts'
import { kafkaUses } from '../kafka-uses.ts'

export interface AcceptedOutcome {
  readonly notification: Notification
  readonly traceparent: string
}

/** Resolves when all of them are remembered. Every call for one order carries the same notification. */
export type Accept = (outcomes: readonly AcceptedOutcome[]) => Promise<void>

/**
 * Both outcomes in one group. What is to be told is remembered, batch by batch, before the offsets are committed; sending
 * comes after and holds up no partition.
 */
export function resultStage(
  { inventoryReserved, inventoryFailed }: Pick<Topics, 'inventoryReserved' | 'inventoryFailed'>,
  accept: Accept
): Stage<Outcome> {
  return {
    name: 'notification',
    group: kafkaUses.groups[0],
    inputs: [inventoryReserved, inventoryFailed],
    async process(records) {
      await accept(
        records.map(({ event, headers }) => ({
          notification: notificationFor(event),
          traceparent: sameTraceparent(headers.traceparent)
        }))
      )
      return []
    }
  }
}
