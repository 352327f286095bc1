import { type KafkaAccess, topicNames } from '@orderly/contracts'
import { kafkaUses as aggregator } from '../../services/aggregator/kafka-access.ts'
import { kafkaUses as inventory } from '../../services/inventory/kafka-access.ts'
import { kafkaUses as notification } from '../../services/notification/kafka-access.ts'
import { kafkaUses as order } from '../../services/order/kafka-access.ts'
import { Failure } from '../command-line/command.ts'

/** A consumer group whose service stores its positions, with the location of the positions. */
export interface PositionGroup {
  readonly groupID: string
  readonly service: string
  /** Database schema with the tables `positions` and `incidents`. */
  readonly schema: string
  /** Name of the stage in dead letters. */
  readonly stage: string
  readonly inputs: readonly string[]
  /** True if outputs, dead letters and offsets are written in one transaction. */
  readonly isExactlyOnce: boolean
}

export const positionGroups: readonly PositionGroup[] = [
  groupOf(inventory, { service: 'inventory', schema: 'inventory', stage: 'inventory' }),
  groupOf(order, { service: 'order', schema: 'orders', stage: 'order-status' }),
  groupOf(notification, { service: 'notification', schema: 'notification', stage: 'notification' }),
  groupOf(aggregator, { service: 'aggregator', schema: 'aggregator', stage: 'order-rate' })
]

function groupOf(
  { topics, groups: [groupID], transactionalIDPrefix }: KafkaAccess,
  service: Pick<PositionGroup, 'service' | 'schema' | 'stage'>
): PositionGroup {
  const uses = topics.flatMap(each => Object.entries(each))
  const inputs = uses.filter(([, use]) => use === 'read').map(([name]) => topicNames[name as keyof typeof topicNames])
  return { ...service, groupID: groupID as string, inputs, isExactlyOnce: transactionalIDPrefix !== undefined }
}

/** Finds a group. @throws Failure if no service stores positions of it */
export function findGroup(groupID: string): PositionGroup {
  const group = positionGroups.find(group => group.groupID === groupID)
  if (group !== undefined) return group
  const names = positionGroups.map(group => group.groupID).join(', ')
  throw new Failure(`No service stores positions of group "${groupID}": give one of ${names}.`)
}

/**
 * Returns the name of an incident on the command line. It contains the schema, because ids are
 * unique per schema only.
 */
export function incidentName({ schema }: PositionGroup, { id }: { readonly id: number }): string {
  return `${schema}-${id}`
}
