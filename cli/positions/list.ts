import { formatTime, plural } from '@orderly/command-line'
import { partitionKey } from '@orderly/kafka'
import { type IncidentRow, openIncidents } from '@orderly/positions'
import { type Command, orderly } from '../command-line/command.ts'
import { findGroup, incidentName, type PositionGroup, positionGroups } from './groups.ts'
import { observeGroup } from './observe.ts'
import { stateOf } from './partition-state.ts'

export const listPositions: Command = {
  name: 'positions list',
  summary:
    'show the positions of each group in Kafka and in the database, with incidents; exits with 1 if something is lost',
  argument: '[GROUP]',
  examples: ['positions list', 'positions list inventory --all'],
  options: { all: { type: 'boolean', description: 'include acknowledged incidents' } },
  async run({ argument, options, output, connections }) {
    const groups = argument === undefined ? positionGroups : [findGroup(argument)]
    const found: { group: PositionGroup; partitions: PartitionRow[]; incidents: readonly IncidentRow[] }[] = []
    for (const group of groups) {
      const partitions = (await observeGroup(group, connections)).map(own => ({ ...own, state: stateOf(own) }))
      const all = await openIncidents(connections.database(), group.schema, { withAcknowledged: options.flag('all') })
      found.push({ group, partitions, incidents: all.filter(({ groupID }) => groupID === group.groupID) })
    }
    output.json(
      found.map(({ group, partitions, incidents }) => ({
        group: group.groupID,
        service: group.service,
        partitions: partitions.map(({ topic, partition, stored, committed, log, state }) => ({
          ...{ topic, partition, state },
          stored: stored?.nextOffset,
          uncommittedFrom: stored?.committedOffset ?? undefined,
          committed: committed?.offset,
          end: log?.end
        })),
        incidents: incidents.map(incident => ({ ...incident, id: incidentName(group, incident) }))
      }))
    )
    for (const { group, partitions, incidents } of found) {
      output.line(`${group.groupID} (${group.service})`)
      output.table(
        [
          { title: '  TOPIC', value: ({ topic }) => `  ${topic}` },
          { title: 'PARTITION', value: ({ partition }) => partition, isNumber: true },
          { title: 'STORED', value: ({ stored }) => stored?.nextOffset, isNumber: true },
          { title: 'COMMITTED', value: ({ committed }) => committed?.offset, isNumber: true },
          { title: 'END', value: ({ log }) => log?.end, isNumber: true },
          { title: 'STATE', value: ({ state }) => state }
        ],
        partitions
      )
      if (incidents.length > 0) {
        output.line()
        output.table(
          [
            { title: '  INCIDENT', value: incident => `  ${incidentName(group, incident)}` },
            { title: 'KIND', value: ({ kind }) => kind },
            { title: 'WHERE', value: partitionKey },
            { title: 'FROM', value: ({ fromOffset }) => fromOffset ?? undefined, isNumber: true },
            { title: 'TO', value: ({ toOffset }) => toOffset ?? undefined, isNumber: true },
            { title: 'DETECTED', value: ({ detectedAt }) => formatTime(detectedAt.getTime()) },
            { title: 'ACKNOWLEDGED', value: ({ acknowledgedBy }) => acknowledgedBy ?? undefined }
          ],
          incidents
        )
      }
      output.line()
    }
    const open = found.flatMap(({ incidents }) => incidents).filter(({ acknowledgedAt }) => acknowledgedAt === null)
    const states = new Set(found.flatMap(({ partitions }) => partitions.map(({ state }) => state)))
    if (states.has('offsets missing')) output.line(`Offsets are missing: ${orderly} positions resolve GROUP sets them.`)
    if (states.has('database behind'))
      output.line(`The database is behind: ${orderly} reconcile rebuilds the inventory.`)
    if (open.length > 0)
      output.line(`${plural(open.length, 'incident')}: ${orderly} positions acknowledge ID closes one.`)
    return open.length > 0 || states.has('offsets missing') || states.has('database behind') ? 1 : 0
  }
}

type PartitionRow = Awaited<ReturnType<typeof observeGroup>>[number] & { readonly state: ReturnType<typeof stateOf> }
