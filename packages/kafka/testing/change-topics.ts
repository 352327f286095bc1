import { setTimeout as delay } from 'node:timers/promises'
import { type API, createTopicsV7, deleteGroupsV2, deleteRecordsV2, deleteTopicsV6 } from '@platformatic/kafka'
import { withCluster } from '../cluster/admin.ts'
import { request } from '../cluster/requests.ts'
import type { KafkaConnection } from '../connection.ts'
import { checkCode } from '../errors.ts'

/**
 * Test helpers that change topics as operators and retention do, while stages and producers use
 * them.
 */

const timeoutMs = 10_000
const nonEmptyGroup = 68

/** Deletes a topic. Resolves when no broker knows it any more. */
export async function deleteTopic(connection: KafkaConnection, name: string): Promise<void> {
  const { responses } = await ask(connection, deleteTopicsV6.api, [{ name }], timeoutMs)
  for (const { errorCode } of responses) checkCode(errorCode, `deleting ${name}`)
  await withCluster(connection, async cluster => {
    for (let isThere = true; isThere; await delay(50)) {
      cluster.forget()
      isThere = await cluster.partitions(name).then(
        () => true,
        () => false
      )
    }
  })
}

/** Removes the records before the offset, as retention does. */
export async function deleteRecords(
  connection: KafkaConnection,
  { topic, partition }: { readonly topic: string; readonly partition: number },
  offset: bigint
): Promise<void> {
  const asked = [{ name: topic, partitions: [{ partitionIndex: partition, offset }] }]
  await withCluster(connection, async cluster => {
    const leader = await cluster.connectionToLeader(topic, partition)
    const { topics } = await request(leader, deleteRecordsV2.api, asked, timeoutMs)
    checkCode(topics[0]?.partitions[0]?.errorCode ?? 0, `deleting records of ${topic}/${partition}`)
  })
}

/** Creates a topic with the replicas of each partition on specific brokers. */
export async function createPlacedTopic(
  connection: KafkaConnection,
  name: string,
  replicas: readonly (readonly number[])[]
): Promise<void> {
  const assignments = replicas.map((brokerIds, partitionIndex) => ({ partitionIndex, brokerIds: [...brokerIds] }))
  const topic = { name, numPartitions: -1, replicationFactor: -1, assignments, configs: [] }
  const { topics } = await ask(connection, createTopicsV7.api, [topic], timeoutMs, false)
  for (const { errorCode } of topics) checkCode(errorCode, `creating ${name}`)
}

function ask<Arguments extends unknown[], Response>(
  connection: KafkaConnection,
  api: API<Arguments, Response>,
  ...args: Arguments
): Promise<Response> {
  return withCluster(connection, async cluster => request(await cluster.anyConnection(), api, ...args))
}

/** Deletes a group with its offsets, once its last member has left. */
export async function deleteGroup(connection: KafkaConnection, groupID: string): Promise<void> {
  await withCluster(connection, async cluster => {
    for (;;) {
      const { results } = await cluster.askCoordinator('group', groupID, deleteGroupsV2.api, [groupID])
      const code = results[0]?.errorCode ?? 0
      if (code !== nonEmptyGroup) return checkCode(code, `deleting group ${groupID}`)
      await delay(100)
    }
  })
}
