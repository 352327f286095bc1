import { describeProducersV0, describeTransactionsV0, listTransactionsV1 } from '@platformatic/kafka'
import type { Cluster } from '../cluster/cluster.ts'
import { findOffsets, offsetAt } from '../cluster/list-offsets.ts'
import { request } from '../cluster/requests.ts'
import { checkCode, protocolErrorName } from '../errors.ts'
import { partitionKey, type TopicPartition } from '../types.ts'

/** An open transaction, as its coordinator reports it. */
export interface OpenTransaction {
  readonly transactionalID: string
  readonly producerID: bigint
  readonly epoch: number
  /** State: `Ongoing`, or `PrepareCommit` or `PrepareAbort` while its end is being written. */
  readonly state: string
  readonly startedAtMs: number
  /** Time after which the coordinator aborts the transaction. */
  readonly timeoutMs: number
  readonly partitions: readonly TopicPartition[]
}

/** A partition whose `read_committed` readers wait for a transaction to end. */
export interface HeldPartition extends TopicPartition {
  readonly stableOffset: bigint
  readonly endOffset: bigint
  readonly holders: readonly PartitionHolder[]
}

/** A producer whose open transaction blocks readers of a partition. */
export interface PartitionHolder {
  readonly producerID: bigint
  readonly epoch: number
  /** Offset of the producer's first record here in the open transaction. */
  readonly firstOffset: bigint
  readonly lastWrittenAtMs: number
}

const openStates = ['Ongoing', 'PrepareCommit', 'PrepareAbort'] as const
const noTransactions = -1n

/** Returns the open transactions of all coordinators, the oldest first. */
export async function openTransactions(cluster: Cluster): Promise<OpenTransaction[]> {
  await cluster.refresh()
  const found: OpenTransaction[] = []
  for (const brokerID of cluster.brokerIDs) {
    const connection = await cluster.connectionTo(brokerID)
    const listed = await request(connection, listTransactionsV1.api, [...openStates], [], noTransactions, null)
    checkCode(listed.errorCode, `listing the transactions of broker ${brokerID}`)
    const transactionalIDs = listed.transactionStates.map(({ transactionalId }) => transactionalId)
    if (transactionalIDs.length === 0) continue
    const described = await request(connection, describeTransactionsV0.api, transactionalIDs)
    for (const transaction of described.transactionStates) {
      if (protocolErrorName(transaction.errorCode) === 'TRANSACTIONAL_ID_NOT_FOUND') continue // has expired meanwhile
      checkCode(transaction.errorCode, `describing transaction ${transaction.transactionalId}`)
      if (!(openStates as readonly string[]).includes(transaction.transactionState)) continue // has ended meanwhile
      found.push({
        transactionalID: transaction.transactionalId,
        producerID: transaction.producerId,
        epoch: transaction.producerEpoch,
        state: transaction.transactionState,
        startedAtMs: Number(transaction.transactionStartTimeMs),
        timeoutMs: transaction.transactionTimeoutMs,
        partitions: transaction.topics.flatMap(({ topic, partitions }) =>
          partitions.map(partition => ({ topic, partition }))
        )
      })
    }
  }
  return found.toSorted((a, b) => a.startedAtMs - b.startedAtMs)
}

/**
 * Returns the partitions in which records wait behind an open transaction, with the producers of
 * the open transactions (KIP-664). Omits partitions that cannot be queried.
 */
export async function heldPartitions(
  cluster: Cluster,
  partitions: readonly TopicPartition[]
): Promise<HeldPartition[]> {
  const { found: stableEnds } = await findOffsets(cluster, partitions, offsetAt.stableEnd)
  const { found: ends } = await findOffsets(cluster, stableEnds, offsetAt.end)
  const endOf = new Map(ends.map(end => [partitionKey(end), end.offset]))
  const held: HeldPartition[] = []
  for (const { topic, partition, offset: stableOffset } of stableEnds) {
    const endOffset = endOf.get(partitionKey({ topic, partition })) ?? stableOffset
    if (stableOffset >= endOffset) continue
    const connection = await cluster.connectionToLeader(topic, partition)
    const question = [{ name: topic, partitionIndexes: [partition] }]
    const answer = (await request(connection, describeProducersV0.api, question)).topics[0]?.partitions[0]
    checkCode(answer?.errorCode ?? 0, `describing the producers of ${topic}/${partition}`)
    const holders = (answer?.activeProducers ?? [])
      .filter(({ currentTxnStartOffset }) => currentTxnStartOffset >= 0n)
      .map(({ producerId, producerEpoch, currentTxnStartOffset, lastTimestamp }) => ({
        producerID: producerId,
        epoch: producerEpoch,
        firstOffset: currentTxnStartOffset,
        lastWrittenAtMs: Number(lastTimestamp)
      }))
    if (holders.length > 0) held.push({ topic, partition, stableOffset, endOffset, holders })
  }
  return held
}
