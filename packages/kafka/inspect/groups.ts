import { describeGroupsV5, listGroupsV5 } from '@platformatic/kafka'
import type { Cluster } from '../cluster/cluster.ts'
import { request } from '../cluster/requests.ts'
import { decodeAssignment } from '../consumer-group/assignment.ts'
import { checkCode } from '../errors.ts'
import type { TopicPartition } from '../types.ts'

/** A consumer group and its members. */
export interface GroupDescription {
  readonly groupID: string
  /**
   * State: `Stable`, `PreparingRebalance`, `CompletingRebalance`, `Empty` (offsets, no members) or
   * `Dead` (does not exist).
   */
  readonly state: string
  readonly members: readonly GroupMemberDescription[]
}

/** A member of a consumer group with its partitions. */
export interface GroupMemberDescription {
  readonly memberID: string
  /** `group.instance.id` of a static member. */
  readonly instanceID: string | null
  readonly clientID: string
  readonly host: string
  readonly partitions: readonly TopicPartition[]
}

/** Returns the names of the consumer groups of all brokers, sorted. */
export async function listGroups(cluster: Cluster): Promise<string[]> {
  await cluster.refresh()
  const names = new Set<string>()
  for (const brokerID of cluster.brokerIDs) {
    const response = await request(await cluster.connectionTo(brokerID), listGroupsV5.api, [], [])
    checkCode(response.errorCode, `listing the groups of broker ${brokerID}`)
    // A group without members has no protocol type.
    for (const { groupId, protocolType } of response.groups) {
      if (protocolType === 'consumer' || protocolType === '') names.add(groupId)
    }
  }
  return [...names].sort()
}

/**
 * Describes a group; one that does not exist has the state `Dead`. Shows only members with the
 * classic protocol, which stages use.
 */
export async function describeGroup(cluster: Cluster, groupID: string): Promise<GroupDescription> {
  const response = await cluster.askCoordinator('group', groupID, describeGroupsV5.api, [groupID], false)
  const [group] = response.groups
  checkCode(group?.errorCode ?? 0, `describing group ${groupID}`)
  const members = (group?.members ?? []).map(
    ({ memberId, groupInstanceId, clientId, clientHost, memberAssignment }) => ({
      memberID: memberId,
      instanceID: groupInstanceId ?? null,
      clientID: clientId,
      host: clientHost.replace(/^\//, ''),
      partitions: decodeAssignment(memberAssignment)
    })
  )
  return { groupID, state: group?.groupState ?? 'Dead', members }
}
