import {
  type API,
  addPartitionsToTxnV3,
  type CompressionAlgorithmValue,
  endTxnV4,
  initProducerIdV5,
  type MessageRecord,
  NumericMap,
  produceV11
} from '@platformatic/kafka'
import { Cluster } from '../cluster/cluster.ts'
import { request } from '../cluster/requests.ts'
import type { KafkaConnection } from '../connection.ts'
import { checkCode, protocolError } from '../errors.ts'

/**
 * A transactional producer that executes single protocol steps on request. Tests use it to leave
 * transactions open, abort them, and interleave several producers in one partition.
 */
export class ScriptedProducer {
  readonly #cluster: Cluster
  readonly transactionalID: string
  readonly #timeoutMs: number
  #producerID = -1n
  #epoch = -1
  readonly #added = new Set<string>()
  #sequences = new Map<string, number>()

  constructor(connection: KafkaConnection, transactionalID: string, options: { timeoutMs?: number } = {}) {
    this.#cluster = new Cluster(connection, { requestTimeoutMs: 5_000 })
    this.transactionalID = transactionalID
    this.#timeoutMs = options.timeoutMs ?? 60_000
  }

  /** Requests a producer id and a new epoch, which aborts an open transaction of the same id. */
  async init(): Promise<this> {
    await this.#untilReady(async () => {
      const response = await this.#ask(initProducerIdV5.api, this.transactionalID, this.#timeoutMs, -1n, -1)
      checkCode(response.errorCode, 'init')
      this.#producerID = response.producerId
      this.#epoch = response.producerEpoch
      this.#sequences = new Map()
      this.#added.clear()
    })
    return this
  }

  /** Writes one batch. Adds the partition to the transaction first, if necessary. */
  async write(
    topic: string,
    partition: number,
    values: readonly string[],
    compression: CompressionAlgorithmValue = 'none'
  ): Promise<void> {
    const key = `${topic}:${partition}`
    if (!this.#added.has(key)) await this.addPartition(topic, partition)
    const messages: MessageRecord[] = values.map(value => ({
      topic,
      partition,
      key: Buffer.from('k'),
      value: Buffer.from(value),
      headers: new Map()
    }))
    const sequences = new NumericMap([[key, this.#sequences.get(key) ?? 0]])
    await this.#untilReady(async () => {
      const connection = await this.#cluster.connectionToLeader(topic, partition)
      const response = await request(connection, produceV11.api, -1, 5_000, messages, {
        transactionalId: this.transactionalID,
        producerId: this.#producerID,
        producerEpoch: this.#epoch,
        sequences,
        compression
      })
      if (typeof response === 'object') checkCode(response.responses[0]?.partitionResponses[0]?.errorCode ?? 0, 'write')
    })
    this.#sequences.set(key, (this.#sequences.get(key) ?? 0) + values.length)
  }

  /** Adds a partition to the transaction. */
  async addPartition(topic: string, partition: number): Promise<void> {
    await this.#untilReady(async () => {
      const response = await this.#ask(addPartitionsToTxnV3.api, [
        {
          transactionalId: this.transactionalID,
          producerId: this.#producerID,
          producerEpoch: this.#epoch,
          verifyOnly: false,
          topics: [{ name: topic, partitions: [partition] }]
        }
      ])
      checkCode(
        response.resultsByTransaction[0]?.topicResults[0]?.resultsByPartition[0]?.partitionErrorCode ?? 0,
        'add'
      )
    })
    this.#added.add(`${topic}:${partition}`)
  }

  /**
   * Writes to a partition that the coordinator does not know, so that nothing ends the transaction
   * there. The broker must not verify partitions of transactions.
   */
  omitAdding(topic: string, partition: number): void {
    this.#added.add(`${topic}:${partition}`)
  }

  /** Commits or aborts the transaction. */
  async end(outcome: 'commit' | 'abort'): Promise<void> {
    await this.#untilReady(async () => {
      const { errorCode } = await this.#ask(
        endTxnV4.api,
        this.transactionalID,
        this.#producerID,
        this.#epoch,
        outcome === 'commit'
      )
      if (errorCode !== 0) throw protocolError(errorCode, outcome)
    })
    this.#added.clear()
  }

  /** Closes its connections. An open transaction stays open. */
  close(): Promise<void> {
    return this.#cluster.close()
  }

  #ask<Arguments extends unknown[], Response>(api: API<Arguments, Response>, ...args: Arguments): Promise<Response> {
    return this.#cluster.askCoordinator('transaction', this.transactionalID, api, ...args)
  }

  async #untilReady(attempt: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        return await attempt()
      } catch (error) {
        if (!(error as { retryable?: boolean }).retryable) throw error
        if ((error as { code?: string }).code !== 'CONCURRENT_TRANSACTIONS') this.#cluster.forget()
        await new Promise(resolve => setTimeout(resolve, 2))
      }
    }
  }
}
