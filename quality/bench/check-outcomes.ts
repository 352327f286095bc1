import { topicNames } from '@orderly/contracts'
import { partitionKey } from '@orderly/kafka'
import { check } from '../verify/checker/check.ts'
import { KafkaLog } from '../verify/collect/kafka-log.ts'
import { dumpTables } from '../verify/collect/tables.ts'
import { allTopics, dumpTopics } from '../verify/collect/topics.ts'
import { readAllCommitted } from './orders/read-all-committed.ts'
import { initialStock, inventoryGroup } from './pipeline.ts'
import type { BenchServers } from './servers.ts'

export interface OutcomeCheck {
  readonly orders: number
  readonly violations: readonly string[]
  /** Ratio of the largest partition of `orders.created` to the mean, in records. */
  readonly fullestPartition: number
}

/** Guarantees of the verifier that can be checked with topics and tables alone. */
const judged = new Set([2, 3, 4, 5, 7, 8])

/**
 * Runs the verifier's checkers on the current contents of topics and database.
 *
 * @param sinceMs creation time of the topics; earlier offset commits belong to deleted topics of
 *   the same names
 */
export async function checkOutcomes(
  servers: BenchServers,
  databaseURL: string,
  sinceMs: number
): Promise<OutcomeCheck> {
  const log = new KafkaLog([servers.broker])
  try {
    const topics = await dumpTopics(log, servers.registryURL, [inventoryGroup])
    const tables = await dumpTables(databaseURL)
    const verdicts = check({
      seed: 0,
      brokers: 1,
      instances: {},
      startedAtMs: sinceMs,
      endedAtMs: Date.now(),
      initialStock,
      requests: [],
      changeRequests: [],
      poison: [],
      faults: [],
      incarnations: [],
      passes: [],
      ...topics,
      offsetCommits: topics.offsetCommits.filter(({ timestampMs }) => timestampMs >= sinceMs),
      committedReads: await readCommitted(servers),
      groups: [{ group: inventoryGroup, inputs: [topicNames.ordersCreated, topicNames.ordersChanges] }],
      tables,
      notifications: [],
      recoveries: []
    })
    const ends = topics.partitions.filter(({ topic }) => topic === topicNames.ordersCreated)
    const sizes = ends.map(({ highWatermark }) => highWatermark)
    const orders = sizes.reduce((sum, size) => sum + size, 0)
    return {
      orders,
      violations: verdicts
        .filter(({ guarantee }) => judged.has(guarantee))
        .flatMap(({ guarantee, violations }) => violations.map(({ summary }) => `guarantee ${guarantee}: ${summary}`)),
      fullestPartition: Math.max(...sizes) / (orders / sizes.length)
    }
  } finally {
    await log.close()
  }
}

/**
 * Returns the offsets that our reader sees, which the checker compares with the transaction
 * markers.
 */
async function readCommitted({ connection }: BenchServers): Promise<Record<string, number[]>> {
  const reads: Record<string, number[]> = {}
  for (const topic of allTopics) {
    for (const { partition, offset } of await readAllCommitted(connection, topic)) {
      const key = partitionKey({ topic, partition })
      reads[key] ??= []
      reads[key].push(Number(offset))
    }
  }
  return reads
}
