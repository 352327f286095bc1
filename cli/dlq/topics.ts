import { deadLetterTopic, type KafkaInspector } from '@orderly/kafka'
import { Failure } from '../command-line/command.ts'

const suffix = deadLetterTopic('')

/**
 * Returns all dead-letter topics, or the requested ones.
 * @throws Failure if a requested topic does not exist
 */
export async function deadLetterTopics(inspector: KafkaInspector, asked: readonly string[]): Promise<string[]> {
  const found = (await inspector.topics()).map(({ name }) => name).filter(name => name.endsWith(suffix))
  const missing = asked.find(name => !found.includes(name))
  if (missing !== undefined) {
    const known = found.length === 0 ? 'none exists' : `the existing ones are ${found.join(', ')}`
    throw new Failure(`Dead-letter topic ${missing} does not exist: ${known}.`)
  }
  return asked.length === 0 ? found : [...new Set(asked)]
}
