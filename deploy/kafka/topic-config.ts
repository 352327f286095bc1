import { topicConfigs } from '@orderly/contracts'
import { deadLetterTopicConfig, isDeadLetterTopic } from '@orderly/kafka'

/** Kafka's own default, set explicitly: a cluster with another default must not make a topic accept more than its dead-letter topic. */
const eventTopicConfig = { 'max.message.bytes': '1048588' }

/** Returns the configuration that a topic is created with. */
export function topicConfig(name: string): Readonly<Record<string, string>> {
  return isDeadLetterTopic(name) ? deadLetterTopicConfig : { ...eventTopicConfig, ...topicConfigs[name] }
}
