import { type API, createPartitionsV3, createTopicsV7, deleteRecordsV2, deleteTopicsV6 } from '@platformatic/kafka'
import { withCluster } from '../cluster/admin.ts'
import { request } from '../cluster/requests.ts'
import type { KafkaConnection } from '../connection.ts'
import { checkCode } from '../errors.ts'

/** What operators and retention do to topics while somebody reads and writes them, for tests. */

const timeoutMs = 10_000

export async function growTopic(connection: KafkaConnection, name: string, count: number): Promise<void> {
  const { results } = await ask(
    connection,
    createPartitionsV3.api,
    [{ name, count, assignments: null }],
    timeoutMs,
    false
  )
  for (const { errorCode } of results) checkCode(errorCode, `growing ${name}`)
}

export async function deleteTopic(connection: KafkaConnection, name: string): Promise<void> {
  const { responses } = await ask(connection, deleteTopicsV6.api, [{ name }], timeoutMs)
  for (const { errorCode } of responses) checkCode(errorCode, `deleting ${name}`)
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

/** Creates a topic with each partition's replicas on the brokers that are named. */
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
