import { KafkaError } from '../errors.ts'
import { partitionKey } from '../types.ts'
import type { PositionStore } from './position-store.ts'
import type { Start } from './starting-positions.ts'

/**
 * Returns the error of a stage that must not start. Its codes are stable:
 *
 * - `OFFSETS_MISSING`: Kafka has lost offsets of the group; reading from the beginning would write
 *   outputs again
 * - `DATABASE_BEHIND`: the database has lost positions, and with them effects that must not be
 *   decided again
 * - `NO_COMMITTED_OFFSET`: the group has no offset, and `startAt` is `none`
 */
export function refusalOf(groupID: string, refused: readonly Start[], store: PositionStore | undefined): KafkaError {
  if (store === undefined || refused.every(({ refusal }) => refusal === 'NO_COMMITTED_OFFSET')) {
    const what = `group ${groupID} has no committed offset in ${refused.map(partitionKey).join(', ')}`
    const how = "Set its offsets (setGroupOffsets, kafka-consumer-groups.sh), or start with 'earliest' or 'latest'"
    return new KafkaError('NO_COMMITTED_OFFSET', `${what}, and startAt is 'none'. ${how}`, { retryable: false })
  }
  const { remedies } = store
  const places = refused
    .map(({ topic, partition, incident }) => {
      return `${topic}/${partition} (${incident?.fromOffset ?? 'none'} to ${incident?.toOffset ?? 'none'})`
    })
    .join(', ')
  // If both apply, only the restored database is reported: it has lost more, and its remedy uses
  // the committed offsets.
  if (refused.some(({ refusal }) => refusal === 'DATABASE_BEHIND')) {
    const what = `the database has lost positions of group ${groupID} that are committed in Kafka: ${places}`
    const why = 'It was restored to an earlier state, or emptied, and the stage would decide on stale data'
    return new KafkaError('DATABASE_BEHIND', `${what}. ${why}. ${remedies.databaseBehind}`, { retryable: false })
  }
  const what = `group ${groupID} has no committed offset, or an older one, where the database has its position: ${places}`
  const why = 'The group was deleted, or its offsets expired, and the stage would write its outputs again'
  return new KafkaError('OFFSETS_MISSING', `${what}. ${why}. ${remedies.offsetsMissing}`, { retryable: false })
}
