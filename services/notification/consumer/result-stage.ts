import { callerOf, recordKey, type Topics } from '@orderly/contracts'
import type { PositionAdvance, Stage, StageRecord, Topic } from '@orderly/kafka'
import { sameTraceparent } from '@orderly/service-kit'
import { type Notification, notificationFor, type Result } from '../domain/notification.ts'
import { kafkaUses, type resultTopics } from '../kafka-access.ts'

export interface AcceptedResult {
  readonly notification: Notification
  readonly traceparent: string
}

/**
 * Stores notifications and positions together; resolves when both are stored. Repeated calls for
 * one event pass the same notification.
 */
export type Accept = (results: readonly AcceptedResult[], positions: readonly PositionAdvance[]) => Promise<void>

/**
 * Creates the stage that reads all result topics in one group. It stores the notifications of each
 * batch before the offsets are committed. Sending happens later and blocks no partition.
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

/**
 * @throws ContractError `EVENT_INVALID` if no record key can be built from the owner; the record
 * becomes a dead letter
 */
function toNotification({ event, headers }: StageRecord<Result>): Notification {
  const notification = notificationFor(event, callerOf(headers))
  recordKey(notification)
  return notification
}

/**
 * Sorts the events of each order within a batch. Each kind of event has its own topic, so they may
 * be read out of order. Events that are missing from the batch are not awaited, because they may
 * have been processed long ago. The order of all other records is unchanged.
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
