import {
  type API,
  addOffsetsToTxnV4,
  addPartitionsToTxnV3,
  apiVersionsV4,
  type Connection,
  endTxnV4,
  initProducerIdV5,
  txnOffsetCommitV4
} from '@platformatic/kafka'
import type { Cluster } from '../cluster/cluster.ts'
import { type InputOffset, toCommitEntries } from '../consumer-group/offset-entry.ts'
import { checkCode, KafkaError, protocolError } from '../errors.ts'
import { failpoint } from '../failpoints.ts'
import { type Compression, compressionFor } from '../producer/compression.ts'
import { addToSequence, BatchLimits, type ProducerIdentity, produce, recordRefusals } from '../producer/produce.ts'
import type { RecordBatchBuilder } from '../producer/record-batch.ts'
import type { OutputRecord } from '../records.ts'
import { retryKafka } from '../retry.ts'
import { type GroupIdentity, partitionKey } from '../types.ts'
import { divideBatch } from './divide-batch.ts'
import { compressed, type SealedBatch, TransactionBuffer } from './transaction-buffer.ts'
import { endTxnV5, isSecondProtocolSpoken, txnOffsetCommitV5 } from './transaction-v2.ts'

export interface TransactionalProducerOptions {
  readonly transactionalID: string
  /**
   * Time after which the coordinator aborts an open transaction; the maximum time for which a dead
   * instance blocks `read_committed` readers.
   */
  readonly transactionTimeoutMs: number
  /** Maximum time for which one step is retried before the transaction fails. */
  readonly stepTimeoutMs: number
  /** Maximum age of the cached cluster features; default 60 s. */
  readonly featuresMaxAgeMs?: number
  /** Compression of the outputs; default none, apart from dead letters. */
  readonly compression?: Compression
}

/**
 * Client software name and version reported to brokers (KIP-511); letters, digits, dots and dashes
 * are allowed.
 */
const softwareName = 'orderly'
const softwareVersion = '1'
/**
 * Retry delay while the previous transaction is being completed, which takes one or two
 * milliseconds.
 */
const concurrentDelayMs = 1
/**
 * Maximum size of a request, unless a single batch is larger. A broker accepts 100 MiB by default
 * (`socket.request.max.bytes`).
 */
const requestBytes = 16 * 1024 * 1024
const retryDelayMs = 50
const defaultFeaturesMaxAgeMs = 60_000
const invalidTransactionState = 48
const expiredID = 49
/**
 * Message for a transaction that the coordinator has aborted. With the first protocol it answers
 * with a fencing error instead, because the epoch has changed.
 */
const alreadyAborted = 'committing: the coordinator has aborted the transaction because it exceeded its timeout'
/** INVALID_PRODUCER_EPOCH and PRODUCER_FENCED. */
const fencedEpoch = new Set([47, 90])

/** Errors after which the broker has certainly done nothing and a retry may succeed. */
const refused = new Set([
  'CONCURRENT_TRANSACTIONS',
  'COORDINATOR_LOAD_IN_PROGRESS',
  'COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR',
  'NOT_LEADER_OR_FOLLOWER',
  'LEADER_NOT_AVAILABLE',
  'FENCED_LEADER_EPOCH',
  'UNKNOWN_TOPIC_OR_PARTITION',
  'NOT_ENOUGH_REPLICAS'
])

/**
 * Runs consecutive Kafka transactions with one transactional id (KIP-98, KIP-360, KIP-447,
 * KIP-890).
 *
 * States: **new** → `init` → **ready** ⇄ `commit`; any failure → **doubtful** → `recover` →
 * **ready**. `commit` adds partitions and the group, writes records and offsets, and ends the
 * transaction. It resolves only when the coordinator has confirmed the commit. If the cluster
 * supports the second protocol (transaction-v2.ts), nothing is added, and each end gives the
 * identity its next epoch. The supported protocol is queried only while no transaction can be open:
 * in `init` and `recover`, and before a commit when the cached answer has expired.
 *
 * In the doubtful state, requests may still be in flight, so the identity must not be used again:
 * with the first protocol a delayed EndTxn could end the *next* transaction. `recover` aborts the
 * open transaction and requests the next epoch *of its current identity*. From then on brokers
 * reject all older requests. If another instance has acquired the id meanwhile, the coordinator
 * rejects the request (`FENCED`) and this instance must stop. Only `init`, at the start of a
 * process, takes the id over from another instance.
 *
 * Coordinators forget an id that was unused for `transactional.id.expiration.ms` (seven days). Its
 * next commit fails with `INVALID_PRODUCER_ID_MAPPING`, and no transaction is open. `recover` sends
 * its current identity in this case too: a free id gets a new producer id, and one acquired by
 * another instance is rejected.
 *
 * The outcome of a commit without a response need not be known: the caller reads the committed
 * offsets again and resumes from there.
 */
export class TransactionalProducer {
  readonly #cluster: Cluster
  readonly #options: TransactionalProducerOptions
  readonly #spareBuilders: RecordBatchBuilder[] = []
  readonly #limits = new BatchLimits()
  #identity: ProducerIdentity = { producerID: -1n, epoch: -1 }
  #sequences = new Map<string, number>()
  #supportsTransactionV2 = false
  #featuresFreshUntilMs = 0

  constructor(cluster: Cluster, options: TransactionalProducerOptions) {
    this.#cluster = cluster
    this.#options = options
  }

  /**
   * Acquires the transactional id and aborts an open transaction of its former owner. @throws
   * KafkaError
   */
  async init(): Promise<void> {
    await this.#initialize({ producerID: -1n, epoch: -1 })
  }

  /**
   * Returns to the ready state after a failed `commit`. @throws KafkaError `FENCED` when another
   * instance has acquired the id
   */
  async recover(): Promise<void> {
    await this.#repeat('aborting', async () => {
      const code = await this.#end(false)
      // No transaction is open: it was never begun, its commit response was lost, the id has
      // expired, or the coordinator aborted it on timeout and fenced its epoch. The next step shows
      // whether another instance has acquired the id.
      if (code !== invalidTransactionState && code !== expiredID && !fencedEpoch.has(code)) checkCode(code, 'aborting')
    })
    await this.#initialize(this.#identity)
  }

  /**
   * Creates a buffer for a later transaction. It can be filled while another transaction is
   * committing, and discarded at any time.
   */
  createTransactionBuffer(): TransactionBuffer {
    const { compression = 'none' } = this.#options
    return new TransactionBuffer(this.#cluster, {
      spareBuilders: this.#spareBuilders,
      limits: this.#limits,
      compressionOf: topic => compressionFor(topic, compression)
    })
  }

  /**
   * Commits records and input offsets together; without a group, records alone. After any error the
   * outcome is unknown, and the caller must call `recover`.
   */
  async commit(
    outputs: TransactionBuffer | readonly OutputRecord[],
    offsets: readonly InputOffset[] = [],
    group?: GroupIdentity
  ): Promise<void> {
    const outbox = outputs instanceof TransactionBuffer ? outputs : await this.#outboxOf(outputs)
    if (performance.now() >= this.#featuresFreshUntilMs) await this.#refreshFeatures()
    const queues = await compressed(this.#seal(outbox))
    if (!this.#supportsTransactionV2) {
      await allSettled([this.#addPartitions(queues), ...(group === undefined ? [] : [this.#addGroup(group)])])
    }
    failpoint('transaction-begun')
    const writing = this.#write(queues).then(() => failpoint('outputs-written'))
    const offsetting = group && this.#writeOffsets(offsets, group).then(() => failpoint('offsets-written'))
    await allSettled([writing, ...(offsetting === undefined ? [] : [offsetting])])
    failpoint('before-commit')
    await this.#step('committing', async () => {
      const code = await this.#end(true)
      if (code === invalidTransactionState)
        throw new KafkaError('INVALID_TXN_STATE', alreadyAborted, { retryable: true })
      checkCode(code, 'committing')
    })
    outbox.release()
  }

  async #initialize(current: ProducerIdentity): Promise<void> {
    await this.#repeat('acquiring the transactional id', async () => {
      const { transactionalID, transactionTimeoutMs } = this.#options
      const supportsTransactionV2 = await this.#askFeatures()
      const arguments_ = [transactionalID, transactionTimeoutMs, current.producerID, current.epoch] as const
      const response = await this.#ask(initProducerIdV5.api, ...arguments_)
      checkCode(response.errorCode, 'acquiring the transactional id')
      this.#become({ producerID: response.producerId, epoch: response.producerEpoch })
      this.#supportsTransactionV2 = supportsTransactionV2
    })
  }

  async #askFeatures(): Promise<boolean> {
    const versions = await this.#ask(apiVersionsV4.api, softwareName, softwareVersion)
    const maxAgeMs = this.#options.featuresMaxAgeMs ?? defaultFeaturesMaxAgeMs
    this.#featuresFreshUntilMs = performance.now() + maxAgeMs * (0.8 + Math.random() * 0.4)
    return isSecondProtocolSpoken(versions)
  }

  /**
   * Changes the protocol, with a new epoch, if the cluster features have changed, for instance
   * after an upgrade.
   */
  async #refreshFeatures(): Promise<void> {
    const supportsTransactionV2 = await this.#askFeatures().catch(() => this.#supportsTransactionV2) // the next commit queries them again
    if (supportsTransactionV2 !== this.#supportsTransactionV2) await this.#initialize(this.#identity)
  }

  #become(identity: ProducerIdentity): void {
    this.#identity = identity
    this.#sequences = new Map()
  }

  async #addPartitions(queues: readonly SealedBatch[][]): Promise<void> {
    if (queues.length === 0) return
    const topics = new Map<string, number[]>()
    for (const [first] of queues) {
      const { topic, partition } = first as SealedBatch
      topics.set(topic, [...(topics.get(topic) ?? []), partition])
    }
    const { producerID, epoch } = this.#identity
    const { transactionalID } = this.#options
    await this.#step('adding partitions', async () => {
      const response = await this.#ask(addPartitionsToTxnV3.api, [
        {
          transactionalId: transactionalID,
          producerId: producerID,
          producerEpoch: epoch,
          verifyOnly: false,
          topics: [...topics].map(([name, partitions]) => ({ name, partitions }))
        }
      ])
      checkCode(response.errorCode, 'adding partitions')
      for (const { topicResults } of response.resultsByTransaction) {
        for (const { name, resultsByPartition } of topicResults) {
          for (const { partitionErrorCode } of resultsByPartition) checkCode(partitionErrorCode, `adding ${name}`)
        }
      }
    })
  }

  async #addGroup(group: GroupIdentity): Promise<void> {
    const { producerID, epoch } = this.#identity
    const { transactionalID } = this.#options
    await this.#step('adding the group', async () => {
      const response = await this.#ask(addOffsetsToTxnV4.api, transactionalID, producerID, epoch, group.groupID)
      checkCode(response.errorCode, `adding group ${group.groupID}`)
    })
  }

  async #outboxOf(records: readonly OutputRecord[]): Promise<TransactionBuffer> {
    const outbox = this.createTransactionBuffer()
    await outbox.add(records)
    return outbox
  }

  /** Encodes the buffered records. Returns one queue of batches for each partition. */
  #seal(outbox: TransactionBuffer): SealedBatch[][] {
    return outbox.partitions().map(partition => {
      const key = partitionKey(partition)
      const firstSequence = this.#sequences.get(key) ?? 0
      // A failed commit discards the identity together with these numbers.
      this.#sequences.set(key, addToSequence(firstSequence, partition.records))
      return partition.seal({ ...this.#identity, firstSequence, isTransactional: true })
    })
  }

  /** Writes one batch of each partition at a time. */
  async #write(queues: readonly SealedBatch[][]): Promise<void> {
    for (let unwritten = queues; unwritten.length > 0; unwritten = unwritten.filter(({ length }) => length > 0)) {
      await this.#step('writing', () => this.#writeFirsts(unwritten))
    }
  }

  /**
   * Writes the first batch of each queue and removes it. A batch whose records the broker rejects
   * is replaced by smaller ones: none of it was appended, and its sequence numbers are free.
   */
  async #writeFirsts(queues: readonly SealedBatch[][]): Promise<void> {
    let failure: KafkaError | undefined
    const writing = [...(await this.#byLeader(queues))].map(async ([connection, own]) => {
      for (const group of requestsOf(own)) {
        const batches = group.map(([first]) => first as SealedBatch)
        const codes = await produce(connection, batches, {
          timeoutMs: this.#options.stepTimeoutMs,
          transactionalID: this.#options.transactionalID,
          joinsTransaction: this.#supportsTransactionV2
        })
        for (const [index, batch] of batches.entries()) {
          const queue = group[index] as SealedBatch[]
          const code = codes.get(partitionKey(batch)) ?? 0
          if (code === 0) {
            queue.shift()
            continue
          }
          const error = protocolError(code, `writing to ${batch.topic}/${batch.partition}`)
          if (!recordRefusals.has(error.code)) failure = error
          else queue.splice(0, 1, ...this.#divide(batch, error))
        }
      }
    })
    await allSettled(writing)
    if (failure !== undefined) throw failure
  }

  #divide(batch: SealedBatch, refusal: KafkaError): SealedBatch[] {
    if (batch.records > 1) this.#limits.refused(batch.topic, batch.bytes.length, refusal.code)
    return divideBatch(batch, refusal)
  }

  async #byLeader(queues: readonly SealedBatch[][]): Promise<Map<Connection, SealedBatch[][]>> {
    const byLeader = new Map<Connection, SealedBatch[][]>()
    for (const queue of queues) {
      const [first] = queue
      if (first === undefined) continue
      const connection = await this.#cluster.connectionToLeader(first.topic, first.partition)
      const group = byLeader.get(connection)
      if (group === undefined) byLeader.set(connection, [queue])
      else group.push(queue)
    }
    return byLeader
  }

  /**
   * Sends offsets to the *group* coordinator, which makes them visible when the transaction commits
   * (KIP-447).
   */
  async #writeOffsets(offsets: readonly InputOffset[], group: GroupIdentity): Promise<void> {
    const { producerID, epoch } = this.#identity
    await this.#step('writing offsets', async () => {
      const response = await this.#cluster.askCoordinator(
        'group',
        group.groupID,
        this.#supportsTransactionV2 ? txnOffsetCommitV5 : txnOffsetCommitV4.api,
        this.#options.transactionalID,
        group.groupID,
        producerID,
        epoch,
        group.generation,
        group.memberID,
        group.instanceID,
        toCommitEntries(offsets)
      )
      for (const { partitions } of response.topics) {
        for (const { errorCode } of partitions) checkCode(errorCode, `writing offsets of group ${group.groupID}`)
      }
    })
  }

  async #end(commit: boolean): Promise<number> {
    const { producerID, epoch } = this.#identity
    const arguments_ = [this.#options.transactionalID, producerID, epoch, commit] as const
    if (!this.#supportsTransactionV2) return (await this.#ask(endTxnV4.api, ...arguments_)).errorCode
    const { errorCode, ...next } = await this.#ask(endTxnV5, ...arguments_)
    if (errorCode === 0) this.#become(next)
    return errorCode
  }

  #ask<Arguments extends unknown[], Response>(api: API<Arguments, Response>, ...args: Arguments): Promise<Response> {
    return this.#cluster.askCoordinator('transaction', this.#options.transactionalID, api, ...args)
  }

  /**
   * Runs a step of a transaction. Repeats it only if the broker reported that it did *not* happen.
   */
  #step(doing: string, attempt: () => Promise<void>): Promise<void> {
    return this.#retry(doing, attempt, error => refused.has(error.code))
  }

  /** Runs an idempotent step. Repeats it after any transient error. */
  #repeat(doing: string, attempt: () => Promise<void>): Promise<void> {
    return this.#retry(doing, attempt, error => error.retryable)
  }

  #retry(doing: string, attempt: () => Promise<void>, isTransient: (error: KafkaError) => boolean): Promise<void> {
    return retryKafka(doing, attempt, {
      initialMs: retryDelayMs,
      jitter: 0,
      timeoutMs: this.#options.stepTimeoutMs,
      isTransient,
      delayMs: error => (isConcurrent(error) ? concurrentDelayMs : undefined),
      onRetry: error => {
        if (!isConcurrent(error)) this.#cluster.forget()
      }
    })
  }
}

function isConcurrent({ code }: KafkaError): boolean {
  return code === 'CONCURRENT_TRANSACTIONS'
}

/** Groups queues so that the first batches of each group fit into one request. */
function requestsOf(queues: readonly SealedBatch[][]): SealedBatch[][][] {
  const requests: SealedBatch[][][] = []
  let room = 0
  for (const queue of queues) {
    const bytes = queue[0]?.bytes.length ?? 0
    if (bytes > room) {
      requests.push([])
      room = requestBytes
    }
    requests.at(-1)?.push(queue)
    room -= bytes
  }
  return requests
}

/**
 * Waits for all work before it throws a failure, so that nothing is in flight when a transaction is
 * aborted.
 */
async function allSettled(work: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(work)) if (result.status === 'rejected') throw result.reason
}
