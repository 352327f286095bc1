import { metadataV12 } from '@platformatic/kafka'
import { KafkaError } from '../errors.ts'
import type { Cluster } from './cluster.ts'
import { request } from './requests.ts'

/**
 * Checks that all responding brokers report the same topic id. A broker that has just started may
 * still describe a deleted topic, so one answer does not prove that a topic was recreated.
 *
 * @throws KafkaError `TOPIC_ID_UNSETTLED` (retryable) while they disagree
 */
export async function confirmTopicID(cluster: Cluster, topic: string, topicID: string): Promise<void> {
  for (const brokerID of cluster.brokerIDs) {
    const known = await askBroker(cluster, brokerID, topic).catch(() => topicID) // ignores unavailable brokers
    if (known === topicID) continue
    throw new KafkaError('TOPIC_ID_UNSETTLED', `the brokers disagree about the id of topic ${topic}`, {
      retryable: true
    })
  }
}

async function askBroker(cluster: Cluster, brokerID: number, topic: string): Promise<string | undefined> {
  const metadata = await request(await cluster.connectionTo(brokerID), metadataV12.api, [topic], false, false)
  return metadata.topics.find(({ name }) => name === topic)?.topicId
}
