import { apiVersionsV3, describeQuorumV1, metadataV12 } from '@platformatic/kafka'
import type { Cluster } from '../cluster/cluster.ts'
import { request } from '../cluster/requests.ts'
import { checkCode } from '../errors.ts'

/** The live brokers and the controller of a cluster. */
export interface QuorumDescription {
  /** Ids of the live brokers, sorted. */
  readonly brokerIDs: readonly number[]
  /** Id of the controller that leads the quorum; undefined while there is none. */
  readonly controllerID: number | undefined
  /** Epoch of the controller, which grows with each election; -1 if unknown. */
  readonly controllerEpoch: number
}

const describeQuorumKey = 55

/**
 * Describes the live brokers and the controller (KIP-595). ZooKeeper-based clusters have no quorum:
 * they report the controller, but not its epoch.
 */
export async function describeQuorum(cluster: Cluster): Promise<QuorumDescription> {
  await cluster.refresh()
  const connection = await cluster.anyConnection()
  const brokerIDs = [...cluster.brokerIDs].toSorted((a, b) => a - b)
  // A broker that does not support the request would close the connection.
  const { apiKeys } = await request(connection, apiVersionsV3.api, 'orderly', '1')
  if (!apiKeys.some(({ apiKey }) => apiKey === describeQuorumKey)) {
    const { controllerId } = await request(connection, metadataV12.api, [], false, false)
    return { brokerIDs, controllerID: controllerId < 0 ? undefined : controllerId, controllerEpoch: -1 }
  }
  const question = [{ topicName: '__cluster_metadata', partitions: [{ partitionIndex: 0 }] }]
  const response = await request(connection, describeQuorumV1.api, question)
  checkCode(response.errorCode, 'describing the quorum')
  const partition = response.topics[0]?.partitions[0]
  checkCode(partition?.errorCode ?? 0, 'describing the quorum')
  const leaderID = partition?.leaderId ?? -1
  return {
    brokerIDs,
    controllerID: leaderID < 0 ? undefined : leaderID,
    controllerEpoch: partition?.leaderEpoch ?? -1
  }
}
