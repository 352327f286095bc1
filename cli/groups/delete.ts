import { deleteGroup, KafkaError } from '@orderly/kafka'
import { connectGroups } from '../../deploy/connect/connector.ts'
import { type Command, Failure } from '../command-line/command.ts'
import { positionGroups } from '../positions/groups.ts'

export const deleteGroups: Command = {
  name: 'groups delete',
  summary: 'delete a consumer group that no program uses any more, with its offsets',
  argument: 'GROUP',
  examples: ['groups delete experiment'],
  options: {},
  async run({ argument, output, connections }) {
    const group = String(argument)
    const service = positionGroups.find(own => own.groupID === group)?.service
    if (service !== undefined)
      throw new Failure(`Group ${group} belongs to the service ${service}, which does not start without its offsets.`)
    if (connectGroups.includes(group))
      throw new Failure(
        `Group ${group} belongs to Kafka Connect, which would write the audit again from its beginning.`
      )
    await deleteGroup(connections.kafka(), group).catch(error => {
      if (!(error instanceof KafkaError)) throw error
      if (error.code === 'NON_EMPTY_GROUP')
        throw new Failure(`Group ${group} has members: stop the programs that read with it first.`)
      if (error.code === 'GROUP_ID_NOT_FOUND') throw new Failure(`Group ${group} does not exist.`)
      throw error
    })
    output.json({ group })
    output.line(`Group ${group} is deleted.`)
    return 0
  }
}
