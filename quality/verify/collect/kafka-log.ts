import { partitionKey } from '@orderly/kafka'
import { retry } from '@orderly/retry'
import {
  type Connection,
  ConnectionPool,
  fetchV17,
  findCoordinatorV6,
  listOffsetsV9,
  metadataV12,
  offsetFetchV9,
  type RecordsBatch
} from '@platformatic/kafka'

export interface LogEnd {
  readonly partition: number
  readonly lastStableOffset: number
  readonly highWatermark: number
}

interface Leader {
  readonly topicID: string
  readonly host: string
  readonly port: number
}

const maxBytes = 32 * 1024 * 1024
const uncommitted = 0
/** Guards against a broker that never returns. It is not a bound for a slow machine. */
const patienceMs = 180_000
const retryDelayMs = 200

/**
 * A reader of raw logs: every batch, committed or not, with transaction markers. It does not use
 * `@orderly/kafka`, because that is under test.
 */
export class KafkaLog {
  readonly #bootstrap: readonly { host: string; port: number }[]
  #pool: ConnectionPool

  constructor(brokers: readonly string[]) {
    this.#bootstrap = brokers.map(address => {
      const [host = '', port] = address.split(':')
      return { host, port: Number(port) }
    })
    this.#pool = newPool()
  }

  /** Returns the end offsets of each partition of a topic. */
  async ends(topic: string): Promise<LogEnd[]> {
    return this.#retry(async () => {
      const leaders = await this.#leaders(topic)
      return Promise.all(
        leaders.map(async (leader, partition) => {
          const connection = await this.#pool.get(leader)
          const [lastStableOffset, highWatermark] = await Promise.all(
            [1, 0].map(async isolation => {
              const partitions = [{ partitionIndex: partition, currentLeaderEpoch: -1, timestamp: -1n }]
              const answer = await listOffsetsV9.api.async(connection, -1, isolation, [{ name: topic, partitions }])
              return Number(answer.topics[0]?.partitions[0]?.offset)
            })
          )
          return { partition, lastStableOffset: lastStableOffset as number, highWatermark: highWatermark as number }
        })
      )
    })
  }

  /** Returns all batches from offset `from` (inclusive) to `to` (exclusive). */
  async read(topic: string, partition: number, from: number, to: number): Promise<RecordsBatch[]> {
    const batches: RecordsBatch[] = []
    let offset = BigInt(from)
    while (offset < to) {
      const read = await this.#retry(() => this.#fetch(topic, partition, offset))
      const fresh = read.filter(batch => endOf(batch) > offset)
      if (fresh.length === 0)
        throw new Error(`${topic}/${partition} returned no records at offset ${offset}, below ${to}`)
      batches.push(...fresh)
      offset = endOf(fresh.at(-1) as RecordsBatch)
    }
    return batches
  }

  /** Returns the committed offsets of a group by `partitionKey`. */
  async committedOffsets(group: string): Promise<ReadonlyMap<string, number>> {
    return this.#retry(async () => {
      const any = await this.#pool.getFirstAvailable([...this.#bootstrap])
      const found = (await findCoordinatorV6.api.async(any, 0, [group])).coordinators[0]
      if (found === undefined || found.errorCode !== 0) throw new Error(`group ${group} has no coordinator`)
      const coordinator = await this.#pool.get({ host: found.host, port: found.port })
      const asked = [{ groupId: group, memberId: null, memberEpoch: -1, topics: null as never }]
      const answer = (await offsetFetchV9.api.async(coordinator, asked, false)).groups[0]
      const offsets = new Map<string, number>()
      for (const { name, partitions } of answer?.topics ?? []) {
        for (const { partitionIndex, committedOffset } of partitions) {
          offsets.set(partitionKey({ topic: name, partition: partitionIndex }), Math.max(0, Number(committedOffset)))
        }
      }
      return offsets
    })
  }

  async close(): Promise<void> {
    for (const [, connection] of this.#pool) connection.socket?.destroy()
    await this.#pool.close()
  }

  async #leaders(topic: string): Promise<Leader[]> {
    const any: Connection = await this.#pool.getFirstAvailable([...this.#bootstrap])
    const metadata = await metadataV12.api.async(any, [topic], false, false)
    const found = metadata.topics[0]
    if (found === undefined || found.errorCode !== 0) throw new Error(`topic ${topic} is unknown`)
    const leaders: Leader[] = []
    for (const { partitionIndex, leaderId } of found.partitions) {
      const broker = metadata.brokers.find(({ nodeId }) => nodeId === leaderId)
      if (broker === undefined) throw new Error(`${topic}/${partitionIndex} has no leader`)
      leaders[partitionIndex] = { topicID: found.topicId, host: broker.host, port: broker.port }
    }
    return leaders
  }

  async #fetch(topic: string, partition: number, offset: bigint): Promise<RecordsBatch[]> {
    const leader = (await this.#leaders(topic))[partition]
    if (leader === undefined) throw new Error(`${topic} has no partition ${partition}`)
    const connection = await this.#pool.get(leader)
    const from = {
      partition,
      currentLeaderEpoch: -1,
      fetchOffset: offset,
      lastFetchedEpoch: -1,
      partitionMaxBytes: maxBytes
    }
    const topics = [{ topicId: leader.topicID, partitions: [from] }]
    const response = await fetchV17.api.async(connection, 500, 1, maxBytes, uncommitted, 0, -1, topics, [], '')
    return response.responses[0]?.partitions[0]?.records ?? []
  }

  /** Retries on new connections, since brokers may be restarting. */
  async #retry<Result>(attempt: () => Promise<Result>): Promise<Result> {
    return retry(attempt, {
      ...{ isTransient: () => true, initialMs: retryDelayMs, jitter: 0, timeoutMs: patienceMs },
      onRetry: () => {
        this.close().catch(() => {})
        this.#pool = newPool()
      }
    })
  }
}

function newPool(): ConnectionPool {
  return new ConnectionPool('orderly-verify', { connectTimeout: 2_000, requestTimeout: 5_000 } as never)
}

export function endOf(batch: RecordsBatch): bigint {
  return batch.firstOffset + BigInt(batch.lastOffsetDelta) + 1n
}
