import { apiVersionsV3, describeQuorumV1, metadataV12 } from '@platformatic/kafka'
import type { Cluster } from '../cluster/cluster.ts'
import { request } from '../cluster/requests.ts'
import { checkCode } from '../errors.ts'

export interface QuorumDescription {
  /** The brokers that are there, in their order. */
  readonly brokerIDs: readonly number[]
  /** The controller that leads the quorum; undefined while there is none. */
  readonly controllerID: number | undefined
  /** Grows with each election; -1 where nobody says. */
  readonly controllerEpoch: number
}

const describeQuorumKey = 55

/** Who is there, and who decides (KIP-595). Brokers with ZooKeeper know no quorum: they say who is the controller, not since when. */
export async function describeQuorum(cluster: Cluster): Promise<QuorumDescription> {
  await cluster.refresh()
  const connection = await cluster.anyConnection()
  const brokerIDs = [...cluster.brokerIDs].toSorted((a, b) => a - b)
  // Asked all the same, a broker that does not know the request closes the connection.
  const { apiKeys } = await request(connection, apiVersionsV3.api, 'orderly', '1')
  if (!apiKeys.some(({ apiKey }) => apiKey === describeQuorumKey)) {
    const { controllerId } = await request(connection, metadataV12.api, [], false, false)
    return { brokerIDs, controllerID: controllerId < 0 ? undefined : controllerId, controllerEpoch: -1 }
  }
  const asked = [{ topicName: '__cluster_metadata', partitions: [{ partitionIndex: 0 }] }]
  const response = await request(connection, describeQuorumV1.api, asked)
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
