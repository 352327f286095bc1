import type { Topics } from '@orderly/contracts'
import type { Stage, Topic } from '@orderly/kafka'
import { sameTraceparent } from '@orderly/service-kit'
import { type Notification, notificationFor, type Result } from '../domain/notification.ts'

export interface AcceptedResult {
  readonly notification: Notification
  readonly traceparent: string
}

/** Resolves when all of them are remembered. Every call for one event carries the same notification. */
export type Accept = (results: readonly AcceptedResult[]) => Promise<void>

/** For `connectTopics`: what users are told of. */
export const resultTopics = {
  inventoryReserved: 'read',
  inventoryFailed: 'read',
  inventoryConfirmed: 'read',
  inventoryReleased: 'read'
} as const

/**
 * All results in one group. What is to be told is remembered, batch by batch, before the offsets are committed; sending
 * comes after and holds up no partition.
 */
export function resultStage(topics: Pick<Topics, keyof typeof resultTopics>, accept: Accept): Stage<Result> {
  const { inventoryReserved, inventoryFailed, inventoryConfirmed, inventoryReleased } = topics
  return {
    name: 'notification',
    group: 'notifications',
    inputs: [inventoryReserved, inventoryFailed, inventoryConfirmed, inventoryReleased] as Topic<Result>[],
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
