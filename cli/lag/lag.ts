import { formatDuration, plural } from '@orderly/command-line'
import { type KafkaInspector, type PartitionLag, partitionKey } from '@orderly/kafka'
import { type Command, Failure, orderly } from '../command-line/command.ts'

export const showLag: Command = {
  name: 'lag',
  summary: 'show the lag of each group in records and time, and its members',
  argument: '[GROUP]',
  examples: ['lag', 'lag orders-created --behind'],
  options: { behind: { type: 'boolean', description: 'only partitions with pending records' } },
  async run({ argument, options, output, connections }) {
    const groups = await readGroups(connections.inspector(), argument)
    if (argument !== undefined && groups[0]?.state === 'Dead')
      throw new Failure(`Group ${argument} does not exist: ${orderly} lag shows all groups.`)
    const nowMs = Date.now()
    const isShown = ({ lagRecords }: PartitionLag) => !options.flag('behind') || lagRecords > 0
    output.json(
      groups.map(({ groupID, state, members, lag }) => ({
        groupID,
        state,
        members: members.map(({ partitions, ...own }) => ({ ...own, partitions: partitions.map(partitionKey) })),
        lagRecords: sum(lag),
        partitions: lag.filter(isShown).map(({ groupID, member, waitingSinceMs, ...own }) => ({
          ...own,
          lagSeconds: waitingSinceMs === undefined ? 0 : Math.max(0, nowMs - waitingSinceMs) / 1_000,
          member: member?.memberID
        }))
      }))
    )
    for (const { groupID, state, members, lag } of groups) {
      output.line(`${groupID}: ${state}, ${plural(members.length, 'member')}, lag of ${plural(sum(lag), 'record')}`)
      const rows = lag.filter(isShown)
      if (rows.length === 0) continue
      output.table(
        [
          { title: '  TOPIC', value: ({ topic }) => `  ${topic}` },
          { title: 'PARTITION', value: ({ partition }) => partition, isNumber: true },
          { title: 'COMMITTED', value: ({ committedOffset }) => committedOffset, isNumber: true },
          { title: 'END', value: ({ endOffset }) => endOffset, isNumber: true },
          { title: 'LAG', value: ({ lagRecords }) => lagRecords, isNumber: true },
          { title: 'SINCE', value: ({ waitingSinceMs }) => waitingSinceMs && formatDuration(nowMs - waitingSinceMs) },
          { title: 'MEMBER', value: ({ member }) => member && (member.instanceID ?? member.clientID) },
          { title: 'HOST', value: ({ member }) => member?.host }
        ],
        rows
      )
      output.line()
    }
    if (groups.length === 0) output.line('There are no groups: nothing has read from this cluster yet.')
    return 0
  }
}

export async function readGroups(inspector: KafkaInspector, only: string | undefined) {
  const groupIDs = only === undefined ? await inspector.groups() : [only]
  return Promise.all(
    groupIDs.map(async groupID => {
      const group = await inspector.group(groupID)
      return { ...group, lag: await inspector.lag(group) }
    })
  )
}

function sum(lag: readonly PartitionLag[]): number {
  return lag.reduce((total, { lagRecords }) => total + lagRecords, 0)
}
