import { UsageError } from '@orderly/command-line'
import { configureTopic } from '@orderly/kafka'
import type { Command } from '../command-line/command.ts'

export const configureTopics: Command = {
  name: 'topics configure',
  summary: 'set settings of a topic',
  argument: 'TOPIC',
  examples: ['topics configure orders.created --set retention.ms=-1'],
  options: {
    set: { type: 'string', multiple: true, placeholder: 'NAME=VALUE', description: 'a setting; may be repeated' }
  },
  async run({ argument, options, output, connections }) {
    const topic = String(argument)
    const given = options.texts('set')
    if (given.length === 0) throw new UsageError('Give at least one setting: --set retention.ms=-1.')
    const settings = Object.fromEntries(
      given.map(text => {
        const [, name, value] = /^([\w.]+)=(.*)$/.exec(text) ?? []
        if (name === undefined || value === undefined)
          throw new UsageError(`--set is "${text}": give a name and a value, such as retention.ms=-1.`)
        return [name, value]
      })
    )
    await configureTopic(connections.kafka(), topic, settings)
    output.json({ topic, settings })
    output.line(`${topic} has ${given.join(', ')}.`)
    return 0
  }
}
