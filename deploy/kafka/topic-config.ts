import { topicConfigs } from '@orderly/contracts'
import { deadLetterTopic } from '@orderly/kafka'

/** What a topic is made with. Dead letters wait for somebody, however long that takes: what a topic forgets of them would also release their keys. */
export function topicConfig(name: string): Readonly<Record<string, string>> {
  const isOfDeadLetters = name.endsWith(deadLetterTopic(''))
  return topicConfigs[name] ?? (isOfDeadLetters ? { 'retention.ms': '-1', 'retention.bytes': '-1' } : {})
}
