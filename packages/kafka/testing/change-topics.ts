import { deleteRecordsV2 } from '@platformatic/kafka'
import { withCluster } from '../cluster/admin.ts'
import { request } from '../cluster/requests.ts'
import type { KafkaConnection } from '../connection.ts'
import { checkCode } from '../errors.ts'

/** What operators and retention do to topics while somebody reads and writes them, for tests. */

const timeoutMs = 10_000

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
