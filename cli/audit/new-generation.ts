import { UsageError } from '@orderly/command-line'
import { acceptTopicID, operatorNeeded, stateOf } from '../../deploy/connect/connector.ts'
import { type Command, Failure, orderly } from '../command-line/command.ts'

export const startNewGeneration: Command = {
  name: 'audit new-generation',
  summary: 'continue the audit with a topic that was deleted and created again',
  examples: ['audit new-generation --topic orders.created'],
  options: {
    topic: { type: 'string', placeholder: 'TOPIC', description: 'the topic that the audit stopped at' },
    connector: { type: 'string', placeholder: 'NAME', description: 'the connector (default: audit)' }
  },
  async run({ options, output, connections }) {
    const topic = options.text('topic')
    if (topic === undefined) throw new UsageError('Name the topic that the audit stopped at: --topic TOPIC')
    const connector = options.text('connector') ?? 'audit'
    const [found] = await connections.inspector().topics([topic])
    if (found === undefined) throw new Failure(`The topic ${topic} does not exist: ${orderly} topics lists all.`)
    const entry = `${topic}:${found.topicID}`
    const { url } = connections.connect()
    const reason = operatorNeeded(await stateOf(url, connector))
    if (reason === undefined || !reason.includes(entry)) {
      throw new Failure(
        `The connector ${connector} has not stopped at ${topic} with the id ${found.topicID}: ` +
          (reason ?? 'none of its tasks needs an operator') +
          '.'
      )
    }
    await acceptTopicID(url, connector, entry)
    output.json({ connector, topic, topicID: found.topicID })
    output.line(
      `${connector} continues with ${topic} (id ${found.topicID}) as a new generation; the earlier rows stay.`
    )
    return 0
  }
}
