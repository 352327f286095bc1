import { deadLetterTopic, type KafkaInspector } from '@orderly/kafka'
import { Failure } from '../command-line/command.ts'

const suffix = deadLetterTopic('')

/** The dead-letter topics that there are, or those asked for. @throws Failure when one that was asked for is not there */
export async function deadLetterTopics(inspector: KafkaInspector, asked: readonly string[]): Promise<string[]> {
  const found = (await inspector.topics()).map(({ name }) => name).filter(name => name.endsWith(suffix))
  const missing = asked.find(name => !found.includes(name))
  if (missing !== undefined) {
    const known = found.length === 0 ? 'there is none at all' : `there are ${found.join(', ')}`
    throw new Failure(`There is no dead-letter topic ${missing}: ${known}.`)
  }
  return asked.length === 0 ? found : [...new Set(asked)]
}
