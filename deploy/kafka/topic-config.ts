import { topicConfigs } from '@orderly/contracts'
import { deadLetterTopic, keepsEverything } from '@orderly/kafka'

/** What a topic is made with. */
export function topicConfig(name: string): Readonly<Record<string, string>> {
  const isOfDeadLetters = name.endsWith(deadLetterTopic(''))
  return topicConfigs[name] ?? (isOfDeadLetters ? keepsEverything : {})
}
