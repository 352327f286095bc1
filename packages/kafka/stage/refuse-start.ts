import { KafkaError } from '../errors.ts'
import type { PositionStore } from './position-store.ts'
import type { Start } from './starting-positions.ts'

/**
 * Returns the error of a stage that must not start. Its codes are stable:
 *
 * - `OFFSETS_MISSING`: Kafka has lost offsets of the group; reading from the beginning would write
 *   outputs again
 * - `DATABASE_BEHIND`: the database has lost positions, and with them effects that must not be
 *   decided again
 */
export function refusalOf(groupID: string, refused: readonly Start[], { remedies }: PositionStore): KafkaError {
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
