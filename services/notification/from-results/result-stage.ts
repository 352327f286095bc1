import { callerOf, recordKey, type Topics } from '@orderly/contracts'
import type { PositionAdvance, Stage, StageRecord, Topic } from '@orderly/kafka'
import { sameTraceparent } from '@orderly/service-kit'
import { type Notification, notificationFor, type Result } from '../domain/notification.ts'
import { kafkaUses, type resultTopics } from '../kafka-uses.ts'

export interface AcceptedResult {
  readonly notification: Notification
  readonly traceparent: string
}

/** Resolves when all of them are remembered, and with them the positions. Every call for one event carries the same notification. */
export type Accept = (results: readonly AcceptedResult[], positions: readonly PositionAdvance[]) => Promise<void>

/**
 * All results in one group. What is to be told is remembered, batch by batch, before the offsets are committed; sending
 * comes after and holds up no partition.
 */
export function resultStage(topics: Pick<Topics, keyof typeof resultTopics>, accept: Accept): Stage<Result> {
  const { inventoryReserved, inventoryFailed, inventoryConfirmed, inventoryReleased } = topics
  return {
    name: 'notification',
    group: kafkaUses.groups[0],
    inputs: [inventoryReserved, inventoryFailed, inventoryConfirmed, inventoryReleased] as Topic<Result>[],
    async process(records, { positions }) {
      await accept(
        asTheyHappened(records).map(record => ({
          notification: toNotification(record),
          traceparent: sameTraceparent(record.headers.text('traceparent'))
        })),
        positions
      )
      return []
    }
  }
}

/** @throws ContractError `EVENT_INVALID` for an owner that no key can be made of: the record is a dead letter */
function toNotification({ event, headers }: StageRecord<Result>): Notification {
  const notification = notificationFor(event, callerOf(headers))
  recordKey(notification)
  return notification
}

/**
 * What happened to an order one after the other may be read in another sequence, as each has its own topic. What is here of one order is told as it
 * happened; what is not here is not waited for, as it may have been told long ago. All others keep their sequence.
 */
function asTheyHappened(records: readonly StageRecord<Result>[]): readonly StageRecord<Result>[] {
  const steps = records.map((record, index) => ({ record, index, step: stepOf(record.event) }))
  const byOrder = Map.groupBy(steps, ({ record }) => record.event.orderID)
  const placeOf = ({ record, index, step }: (typeof steps)[number]) => {
    const earlier = (byOrder.get(record.event.orderID) ?? []).filter(other => other.step < step)
    return Math.max(index, ...earlier.map(other => other.index))
  }
  return steps
    .map(each => ({ ...each, place: placeOf(each) }))
    .toSorted((a, b) => a.place - b.place || a.step - b.step)
    .map(({ record }) => record)
}

function stepOf(event: Result): number {
  if ('decidedAtMs' in event) return 0
  return 'confirmedAtMs' in event ? 1 : 2
}
