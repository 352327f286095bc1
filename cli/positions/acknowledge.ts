import { plural, UsageError } from '@orderly/command-line'
import { acknowledgeIncidents, openIncidents } from '@orderly/positions'
import type { Command } from '../command-line/command.ts'
import { byOption, operatorName } from '../command-line/operator.ts'
import { findGroup, positionGroups } from './groups.ts'

export const acknowledgePositions: Command = {
  name: 'positions acknowledge',
  summary: 'acknowledge investigated incidents: one by its id, those of a group, or all',
  argument: '[ID]',
  examples: ['positions acknowledge inventory-1', 'positions acknowledge --group orders-created'],
  options: {
    group: { type: 'string', placeholder: 'GROUP', description: 'all incidents of this group' },
    all: { type: 'boolean', description: 'all incidents' },
    by: byOption
  },
  async run({ argument, options, output, connections }) {
    const groupID = options.text('group')
    if ([argument, groupID, options.flag('all') || undefined].filter(given => given !== undefined).length !== 1)
      throw new UsageError(
        'Select the incidents to acknowledge: an ID from orderly positions list, --group GROUP, or --all.'
      )
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
