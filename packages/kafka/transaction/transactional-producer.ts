import { setTimeout as delay } from 'node:timers/promises'
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
import { isDeadLetterTopic } from '../dead-letters/topics.ts'
import { checkCode, KafkaError, protocolError, toKafkaError } from '../errors.ts'
import { type InputOffset, toCommitEntries } from '../group/offset-entry.ts'
import { BatchLimits, recordRefusals } from '../producer/batch-limits.ts'
import { addToSequence, type ProducerIdentity, partitionKey, produce } from '../producer/produce.ts'
import type { RecordBatchBuilder } from '../producer/record-batch.ts'
import type { OutputRecord } from '../records.ts'
import { passPoint } from '../stage/points.ts'
import { divideBatch } from './divide-batch.ts'
import { Outbox, type SealedBatch } from './outbox.ts'
import { endTxnV5, isSecondProtocolSpoken, txnOffsetCommitV5 } from './second-protocol.ts'

/**
 * One Kafka transaction after the other under one transactional id (KIP-98, KIP-360, KIP-447, KIP-890).
 *
 * States: **new** → `init` → **ready** ⇄ `commit` (adds partitions and the group, then writes records and offsets, then
 * ends; resolves only when the coordinator said that it is committed) — any failure → **doubtful** → `recover` → **ready**.
 * Where the cluster speaks the second protocol (second-protocol.ts), nothing is added, and each end gives the identity its next epoch. Which one
 * it speaks is asked when no transaction can be open: in `init` and `recover`, and before a commit when the answer has expired.
 *
 * Doubtful means: what was sent may still be on its way, so the identity must not be used again: with the first protocol a delayed EndTxn could
 * end the *next* transaction. `recover` aborts what is open and asks for the next epoch *of the identity it holds*; after
 * that the brokers refuse everything older. Had another instance taken the id meanwhile, the coordinator refuses (`FENCED`) and
 * this one has to leave. Only `init`, at the start of a process, takes the id from another instance.
 *
 * Coordinators forget an id that was not used for `transactional.id.expiration.ms` (seven days). Its next commit fails with
 * `INVALID_PRODUCER_ID_MAPPING`, and nothing is open. `recover` asks with the identity it holds here as well: a free id is given a
 * new producer id, one that was taken since is refused.
 *
 * Whether a commit whose answer got lost took place, nobody needs to know: the caller reads the committed offsets again and
 * goes on from there.
 */

/** Who reads the input; the coordinator refuses offsets of a member or generation that is no longer current. */
export interface GroupIdentity {
  readonly groupID: string
  readonly memberID: string
  readonly instanceID: string | null
  readonly generation: number
}

export interface TransactionalProducerOptions {
  readonly transactionalID: string
  /** The coordinator aborts a transaction that is open for longer: so long can a dead instance hold up `read_committed` readers. */
  readonly transactionTimeoutMs: number
  /** How long one step may be tried again before the transaction is given up. */
  readonly stepTimeoutMs: number
  /** How long the features of the cluster are used before they are asked for again. */
  readonly featuresMaxAgeMs?: number
  /** Topics whose batches are compressed: dead-letter topics unless set. */
  readonly compresses?: (topic: string) => boolean
}

/** Of this client, for the brokers' metrics and logs; they take letters, digits, dots and dashes. */
const softwareName = 'orderly'
const softwareVersion = '1'
/** A transaction that has just ended is still being written out; it takes a millisecond or two. */
const concurrentDelayMs = 1
/** A broker accepts 100 MiB by default (`socket.request.max.bytes`); a single batch may be larger than this. */
const requestBytes = 16 * 1024 * 1024
const retryDelayMs = 50
const defaultFeaturesMaxAgeMs = 60_000
const invalidTransactionState = 48
const expiredID = 49
/** With the first protocol a coordinator says "fenced" then, for the epoch is no longer the producer's. */
const alreadyAborted = 'committing: the coordinator has aborted the transaction, which was open for too long'
/** INVALID_PRODUCER_EPOCH, PRODUCER_FENCED */
const fencedEpoch = new Set([47, 90])

/** Answers by which a broker says that it did nothing, and that asking again may help. */
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

export class TransactionalProducer {
  readonly #cluster: Cluster
  readonly #options: TransactionalProducerOptions
  readonly #spareBuilders: RecordBatchBuilder[] = []
  readonly #limits = new BatchLimits()
  #identity: ProducerIdentity = { producerID: -1n, epoch: -1 }
  #sequences = new Map<string, number>()
  #speaksSecond = false
  #featuresFreshUntilMs = 0

  constructor(cluster: Cluster, options: TransactionalProducerOptions) {
    this.#cluster = cluster
    this.#options = options
  }

  /** Takes the transactional id, aborting what its former owner left open. @throws KafkaError */
  async init(): Promise<void> {
    await this.#initialize({ producerID: -1n, epoch: -1 })
  }

  /** After a failed `commit`. @throws KafkaError `FENCED` when another instance has the id now. */
  async recover(): Promise<void> {
    await this.#repeat('aborting', async () => {
      const code = await this.#end(false)
      // Nothing is open: it was never begun, or it is committed and only the answer got lost, or the id has expired, or the coordinator
      // aborted it because it was open for too long, and fenced its epoch. The next step shows whether another instance has the id.
      if (code !== invalidTransactionState && code !== expiredID && !fencedEpoch.has(code)) checkCode(code, 'aborting')
    })
    await this.#initialize(this.#identity)
  }

  /** For what a later transaction is to write. It may be filled while another one is being committed, and dropped at any time. */
  createOutbox(): Outbox {
    const { compresses = isDeadLetterTopic } = this.#options
    return new Outbox(this.#cluster, { spareBuilders: this.#spareBuilders, limits: this.#limits, compresses })
  }

  /**
   * Commits records and input offsets together; without a group, records alone. After any error nothing is known, and `recover`
   * comes next.
   */
  async commit(
    outputs: Outbox | readonly OutputRecord[],
    offsets: readonly InputOffset[] = [],
    group?: GroupIdentity
  ): Promise<void> {
    const outbox = outputs instanceof Outbox ? outputs : await this.#outboxOf(outputs)
    if (performance.now() >= this.#featuresFreshUntilMs) await this.#refreshFeatures()
    const queues = this.#seal(outbox)
    if (!this.#speaksSecond) {
      await allSettled([this.#addPartitions(queues), ...(group === undefined ? [] : [this.#addGroup(group)])])
    }
    passPoint('transaction-begun')
    const writing = this.#write(queues).then(() => passPoint('outputs-written'))
    const offsetting = group && this.#writeOffsets(offsets, group).then(() => passPoint('offsets-written'))
    await allSettled([writing, ...(offsetting === undefined ? [] : [offsetting])])
    passPoint('before-commit')
    await this.#step('committing', async () => {
      const code = await this.#end(true)
      if (code === invalidTransactionState)
        throw new KafkaError('INVALID_TXN_STATE', alreadyAborted, { retryable: true })
      checkCode(code, 'committing')
    })
    outbox.release()
  }

  async #initialize(current: ProducerIdentity): Promise<void> {
    await this.#repeat('taking the transactional id', async () => {
      const { transactionalID, transactionTimeoutMs } = this.#options
      const speaksSecond = await this.#askFeatures()
      const arguments_ = [transactionalID, transactionTimeoutMs, current.producerID, current.epoch] as const
      const response = await this.#ask(initProducerIdV5.api, ...arguments_)
      checkCode(response.errorCode, 'taking the transactional id')
      this.#become({ producerID: response.producerId, epoch: response.producerEpoch })
      this.#speaksSecond = speaksSecond
    })
  }

  async #askFeatures(): Promise<boolean> {
    const versions = await this.#ask(apiVersionsV4.api, softwareName, softwareVersion)
    const maxAgeMs = this.#options.featuresMaxAgeMs ?? defaultFeaturesMaxAgeMs
    this.#featuresFreshUntilMs = performance.now() + maxAgeMs * (0.8 + Math.random() * 0.4)
    return isSecondProtocolSpoken(versions)
  }

  /** Changes the protocol, with a new epoch, when the features of the cluster have changed, for instance after an upgrade. */
  async #refreshFeatures(): Promise<void> {
    const speaksSecond = await this.#askFeatures().catch(() => this.#speaksSecond) // the next commit asks again
    if (speaksSecond !== this.#speaksSecond) await this.#initialize(this.#identity)
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

  async #outboxOf(records: readonly OutputRecord[]): Promise<Outbox> {
    const outbox = this.createOutbox()
    await outbox.add(records)
    return outbox
  }

  /** @returns one queue for each partition, with its batches */
  #seal(outbox: Outbox): SealedBatch[][] {
    return outbox.partitions().map(partition => {
      const key = partitionKey(partition.topic, partition.partition)
      const firstSequence = this.#sequences.get(key) ?? 0
      // A failed commit throws the identity away, and the numbers with it.
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
   * Writes the first batch of each queue and takes it out. A batch whose records the broker refuses is replaced by smaller ones:
   * nothing of it was appended, and its sequence numbers are free.
   */
  async #writeFirsts(queues: readonly SealedBatch[][]): Promise<void> {
    let failure: KafkaError | undefined
    const writing = [...(await this.#byLeader(queues))].map(async ([connection, own]) => {
      for (const group of requestsOf(own)) {
        const batches = group.map(([first]) => first as SealedBatch)
        const codes = await produce(connection, batches, {
          timeoutMs: this.#options.stepTimeoutMs,
          transactionalID: this.#options.transactionalID,
          joinsTransaction: this.#speaksSecond
        })
        for (const [index, batch] of batches.entries()) {
          const queue = group[index] as SealedBatch[]
          const code = codes.get(partitionKey(batch.topic, batch.partition)) ?? 0
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

  /** The coordinator of the *group* stores them, and makes them visible when the transaction commits (KIP-447). */
  async #writeOffsets(offsets: readonly InputOffset[], group: GroupIdentity): Promise<void> {
    const { producerID, epoch } = this.#identity
    await this.#step('writing offsets', async () => {
      const response = await this.#cluster.askCoordinator(
        'group',
        group.groupID,
        this.#speaksSecond ? txnOffsetCommitV5 : txnOffsetCommitV4.api,
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
    if (!this.#speaksSecond) return (await this.#ask(endTxnV4.api, ...arguments_)).errorCode
    const { errorCode, ...next } = await this.#ask(endTxnV5, ...arguments_)
    if (errorCode === 0) this.#become(next)
    return errorCode
  }

  #ask<Arguments extends unknown[], Response>(api: API<Arguments, Response>, ...args: Arguments): Promise<Response> {
    return this.#cluster.askCoordinator('transaction', this.#options.transactionalID, api, ...args)
  }

  /** A step of a transaction: repeated only when the broker said that it did *not* happen. */
  #step(doing: string, attempt: () => Promise<void>): Promise<void> {
    return this.#attempts(doing, attempt, error => refused.has(error.code))
  }

  /** A step that may happen twice without harm: repeated after any failure that may pass. */
  #repeat(doing: string, attempt: () => Promise<void>): Promise<void> {
    return this.#attempts(doing, attempt, error => error.retryable)
  }

  async #attempts(
    doing: string,
    attempt: () => Promise<void>,
    mayRepeat: (error: KafkaError) => boolean
  ): Promise<void> {
    const deadlineMs = performance.now() + this.#options.stepTimeoutMs
    for (;;) {
      try {
        return await attempt()
      } catch (thrown) {
        const error = toKafkaError(thrown, doing)
        if (!mayRepeat(error) || performance.now() > deadlineMs) throw error
        if (error.code === 'CONCURRENT_TRANSACTIONS') {
          await delay(concurrentDelayMs)
        } else {
          this.#cluster.forget()
          await delay(retryDelayMs)
        }
      }
    }
  }
}

/** Groups queues so that the first batches of each group fit into one request, however many partitions there are. */
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

/** Nothing may be on its way any more when a transaction is given up, so a failure waits for the others to end. */
async function allSettled(work: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(work)) if (result.status === 'rejected') throw result.reason
}
