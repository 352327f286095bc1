import { Cluster } from '../cluster/cluster.ts'
import type { KafkaConnection } from '../connection.ts'
import { commitOffsets } from '../consumer-group/committed-offsets.ts'
import type { InputOffset } from '../consumer-group/offset-entry.ts'
import type { OutputRecord } from '../records.ts'
import { TransactionalProducer } from './transactional-producer.ts'

/** Prefix of the transactional ids that write outputs of a group together with its offsets. */
export const offsetsIDPrefix = 'group-offsets-'

const stepTimeoutMs = 10_000
const transactionTimeoutMs = 30_000

/**
 * Sets the offsets of a group without members, and writes the related outputs in the same
 * transaction.
 *
 * @throws KafkaError, with `UNKNOWN_MEMBER_ID` if the group has members. After a failure it is
 * unknown whether the transaction was committed.
 */
export async function setGroupOffsets(
  connection: KafkaConnection,
  groupID: string,
  offsets: readonly InputOffset[],
  outputs: readonly OutputRecord[] = []
): Promise<void> {
  const cluster = new Cluster(connection, { requestTimeoutMs: stepTimeoutMs })
  const nobody = { groupID, memberID: '', instanceID: null, generation: -1 }
  try {
    if (outputs.length === 0) return await commitOffsets(cluster, nobody, offsets)
    const transactionalID = `${offsetsIDPrefix}${groupID}`
    const producer = new TransactionalProducer(cluster, { transactionalID, transactionTimeoutMs, stepTimeoutMs })
    await producer.init()
    try {
      await producer.commit(outputs, offsets, nobody)
    } catch (error) {
      await producer.recover()
      throw error
    }
  } finally {
    await cluster.close()
  }
}
