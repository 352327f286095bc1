import { partitionKey } from '@orderly/kafka'
import { storedPositions } from '@orderly/positions'
import type { Connections } from '../connections/connections.ts'
import type { PositionGroup } from './groups.ts'
import type { GroupPartition } from './partition-state.ts'

/**
 * Reads the positions of a group in Kafka and in the database, for every partition of its inputs
 * and of its stored positions.
 */
export async function observeGroup(group: PositionGroup, connections: Connections): Promise<GroupPartition[]> {
  const inspector = connections.inspector()
  // Like a stage, read committed offsets first: stored positions are never behind them.
  const committed = await inspector.committedOffsets(group.groupID)
  const rows = await storedPositions(connections.database(), group.schema)
  const stored = rows.filter(({ groupID }) => groupID === group.groupID)
  const topics = await inspector.topics([...new Set([...group.inputs, ...stored.map(({ topic }) => topic)])])
  const partitions = topics.flatMap(({ name, partitions }) =>
    partitions.filter(({ leaderID }) => leaderID >= 0).map(({ partition }) => ({ topic: name, partition }))
  )
  const [beginnings, ends] = await Promise.all([
    inspector.offsets(partitions, 'beginning'),
    inspector.offsets(partitions, 'end')
  ])
  const all = new Map(
    [...partitions, ...stored].map(({ topic, partition }) => {
      const own = { topic, partition }
      return [partitionKey(own), own]
    })
  )
  return [...all.values()]
    .toSorted((a, b) => (a.topic < b.topic ? -1 : a.topic > b.topic ? 1 : a.partition - b.partition))
    .map(own => {
      const isHere = (other: { topic: string; partition: number } | undefined) =>
        other?.topic === own.topic && other.partition === own.partition
      const topic = topics.find(({ name }) => name === own.topic)
      const topicID = topic?.topicID
      const [beginning, end] = [beginnings.find(isHere)?.offset, ends.find(isHere)?.offset]
      return {
        ...own,
        stored: stored.find(isHere),
        committed: committed.find(isHere),
        isThere: topic?.partitions.some(({ partition }) => partition === own.partition) === true,
        log:
          topicID === undefined || beginning === undefined || end === undefined
            ? undefined
            : { topicID, beginning, end }
      }
    })
}
