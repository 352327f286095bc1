import { metadataV12 } from '@platformatic/kafka'
import { KafkaError } from '../errors.ts'
import type { Cluster } from './cluster.ts'
import { request } from './requests.ts'

/**
 * Checks that all brokers that answer know the topic by this id. A broker that has just started may still describe a topic that was
 * deleted meanwhile, so the answer of one is not enough to conclude that a topic was created again.
 * @throws KafkaError `TOPIC_ID_UNSETTLED` (retryable) while they disagree
 */
export async function confirmTopicID(cluster: Cluster, topic: string, topicID: string): Promise<void> {
  for (const brokerID of cluster.brokerIDs) {
    const known = await askBroker(cluster, brokerID, topic).catch(() => topicID) // a broker that is away says nothing
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
