import { describeQuorumV1 } from '@platformatic/kafka'
import type { Cluster } from '../cluster/cluster.ts'
import { request } from '../cluster/requests.ts'
import { checkCode } from '../errors.ts'

export interface QuorumDescription {
  /** The brokers that are there, in their order. */
  readonly brokerIDs: readonly number[]
  /** The controller that leads the quorum; undefined while there is none. */
  readonly controllerID: number | undefined
  /** Grows with each election. */
  readonly controllerEpoch: number
}

/** Who is there, and who decides (KIP-595). */
export async function describeQuorum(cluster: Cluster): Promise<QuorumDescription> {
  await cluster.refresh([])
  const asked = [{ topicName: '__cluster_metadata', partitions: [{ partitionIndex: 0 }] }]
  const response = await request(await cluster.anyConnection(), describeQuorumV1.api, asked)
  checkCode(response.errorCode, 'describing the quorum')
  const partition = response.topics[0]?.partitions[0]
  checkCode(partition?.errorCode ?? 0, 'describing the quorum')
  const leaderID = partition?.leaderId ?? -1
  return {
    brokerIDs: [...cluster.brokerIDs].toSorted((a, b) => a - b),
    controllerID: leaderID < 0 ? undefined : leaderID,
    controllerEpoch: partition?.leaderEpoch ?? -1
  }
}
