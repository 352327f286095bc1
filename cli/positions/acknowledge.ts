import { plural, UsageError } from '@orderly/command-line'
import { incidentKinds } from '@orderly/kafka'
import { acknowledgeIncidents, openIncidents } from '@orderly/positions'
import type { Command } from '../command-line/command.ts'
import { byOption, operatorName } from '../command-line/operator.ts'
import { findGroup, positionGroups } from './groups.ts'

export const acknowledgePositions: Command = {
  name: 'positions acknowledge',
  summary: 'acknowledge investigated incidents: one by its id, those of a group, or all',
  argument: '[ID]',
  examples: [
    'positions acknowledge inventory-1',
    'positions acknowledge --group orders-created',
    'positions acknowledge --group orders-created --kind offsets_skipped --topic orders.created'
  ],
  options: {
    group: { type: 'string', placeholder: 'GROUP', description: 'all incidents of this group' },
    all: { type: 'boolean', description: 'all incidents' },
    kind: { type: 'string', placeholder: 'KIND', description: `only this kind: ${incidentKinds.join(', ')}` },
    topic: { type: 'string', placeholder: 'TOPIC', description: 'only incidents in this topic' },
    by: byOption
  },
  async run({ argument, options, output, connections }) {
    const groupID = options.text('group')
    if ([argument, groupID, options.flag('all') || undefined].filter(given => given !== undefined).length !== 1)
      throw new UsageError(
        'Select the incidents to acknowledge: an ID from orderly positions list, --group GROUP, or --all.'
      )
    const [kind, topic] = [options.text('kind'), options.text('topic')]
    if (argument !== undefined && (kind !== undefined || topic !== undefined))
      throw new UsageError('An ID selects one incident: omit --kind and --topic.')
    if (kind !== undefined && !incidentKinds.some(known => known === kind))
      throw new UsageError(`--kind is "${kind}": choose one of ${incidentKinds.join(', ')}.`)
    const by = operatorName(options.text('by'))
    const [, schema, id] = /^([a-z]+)-(\d{1,15})$/.exec(argument ?? '') ?? []
    if (argument !== undefined && !positionGroups.some(group => group.schema === schema))
      throw new UsageError(`"${argument}" is not an incident id: orderly positions list shows them.`)
    const groups = positionGroups.filter(
      group =>
        (schema === undefined || group.schema === schema) && (groupID === undefined || group === findGroup(groupID))
    )
    const acknowledged = []
    for (const group of groups) {
      const open = await openIncidents(connections.database(), group.schema)
      const ids = open
        .filter(incident => incident.groupID === group.groupID || groupID === undefined)
        .filter(incident => incident.kind === (kind ?? incident.kind) && incident.topic === (topic ?? incident.topic))
        .map(incident => incident.id)
        .filter(each => id === undefined || each === Number(id))
      const done = await acknowledgeIncidents(connections.database(), group.schema, { ids, by })
      acknowledged.push(...done.map(incident => ({ ...incident, id: `${group.schema}-${incident.id}` })))
    }
    output.json({ acknowledged })
    output.line(`${plural(acknowledged.length, 'incident')} acknowledged by ${by}.`)
    return argument !== undefined && acknowledged.length === 0 ? 1 : 0
  }
}
