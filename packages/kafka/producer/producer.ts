import { Cluster } from '../cluster/cluster.ts'
import type { KafkaConnection } from '../connection.ts'
import { reduceDeadLetter } from '../dead-letters/reduce.ts'
import { KafkaError, protocolError, toKafkaError } from '../errors.ts'
import { checkSignal } from '../options.ts'
import { approximateBytes, type OutputRecord, partitionOf } from '../records.ts'
import { partitionKey } from '../types.ts'
import { type Compression, compressBatch, compressionFor } from './compression.ts'
import { type PendingSend, PendingSends } from './pending-sends.ts'
import {
  addToSequence,
  BatchLimits,
  certainlyNotAppended,
  createBatchWriter,
  type ProducerIdentity,
  recordRefusals,
  requestIdentity,
  retryUntil
} from './produce.ts'
import { assertValidProducerOptions, type ProducerOptions, type SendOptions } from './producer-options.ts'
import { encodeRecordBatch } from './record-batch.ts'

/**
 * The idempotent producer: every record is acknowledged by all in-sync replicas, and written once
 * however often it is retried.
 *
 * Records are queued per partition. A queue has at most one batch in flight. A broker has at most
 * one request in flight, with a batch of every queue that has records for it (`createBatchWriter`).
 * Records that arrive meanwhile form the next batches, so batches grow with the load, and an idle
 * producer sends immediately.
 *
 * The producer resends a batch, byte for byte with the same sequence numbers, until the broker
 * acknowledges it, rejects it, or its callers have timed out. Unless the broker certainly did not
 * append the batch (`certainlyNotAppended`), the producer then retires its **identity** (producer
 * id and sequence numbers). If the batch is in the log, the broker would take the next batch with
 * the same numbers for a duplicate and acknowledge it without writing it.
 *
 * A batch whose records the broker rejects (`recordRefusals`) is sent again in halves until the
 * rejected record is alone, so only its call fails. A rejected dead letter is written in a smaller
 * form.
 */
export interface Producer {
  /**
   * Sends records. Resolves when every record is acknowledged by all in-sync replicas. Records for
   * several partitions are not written atomically. Concurrent calls share requests.
   *
   * @throws the reason of the signal (of this call or of the producer) when it aborts, or KafkaError
   * - `PRODUCER_QUEUE_FULL`: nothing was written, try again later; one partition takes at most half
   *   of the queue
   * - `DELIVERY_TIMEOUT`: it is unknown whether the records were written
   * - `CLOSED`, or the broker's error (`MESSAGE_TOO_LARGE`, `TOPIC_AUTHORIZATION_FAILED`, …)
   */
  send(records: readonly OutputRecord[], options?: SendOptions): Promise<void>
  /**
   * Discards cached partition counts before the next send. Callers that changed the partitions call
   * this.
   */
  forgetFacts(): void
  /** Sends the pending records, then disconnects. */
  close(): Promise<void>
}

interface QueuedRecord {
  readonly record: OutputRecord
  readonly bytes: number
  readonly call: PendingSend
}

interface PartitionQueue {
  readonly topic: string
  readonly partition: number
  /** Key of the partition in maps. */
  readonly key: string
  readonly compression: Compression
  readonly records: QueuedRecord[]
  sending: boolean
  /**
   * Maximum number of records in a batch; reduced while searching for a record that the broker
   * rejects.
   */
  maxRecords: number
}

/** An identity and its next sequence number in each partition. */
interface Session extends ProducerIdentity {
  readonly nextSequences: Map<string, number>
}

/** Creates an idempotent producer. @throws KafkaError `INVALID_OPTION`, or the reason of the signal */
export async function createProducer(connection: KafkaConnection, options: ProducerOptions = {}): Promise<Producer> {
  assertValidProducerOptions(options)
  options.signal?.throwIfAborted()
  return new IdempotentProducer(connection, options)
}

class IdempotentProducer implements Producer {
  readonly #cluster: Cluster
  readonly #deliveryTimeoutMs: number
  readonly #compression: Compression
  readonly #signal: AbortSignal | undefined
  readonly #calls: PendingSends
  /**
   * Maximum number of records in a queue, so that a partition that cannot be written leaves room for
   * the others.
   */
  readonly #maxQueuedRecords: number
  readonly #writeBatch: ReturnType<typeof createBatchWriter>
  readonly #lookUps = new Map<string, Promise<void>>()
  readonly #queues = new Map<string, PartitionQueue>()
  readonly #limits = new BatchLimits()
  readonly #working = new Set<Promise<void>>()
  #session: Promise<Session> | undefined
  #closed = false

  constructor(connection: KafkaConnection, options: ProducerOptions) {
    this.#deliveryTimeoutMs = options.deliveryTimeoutMs ?? 10_000
    this.#compression = options.compression ?? 'none'
    this.#signal = options.signal
    this.#signal?.addEventListener('abort', this.#abort)
    this.#writeBatch = createBatchWriter(this.#deliveryTimeoutMs)
    const maxBufferedRecords = options.maxBufferedRecords ?? 50_000
    const maxBytes = options.maxBufferedBytes ?? 64 * 1024 * 1024
    this.#calls = new PendingSends(this.#deliveryTimeoutMs, { maxRecords: maxBufferedRecords, maxBytes })
    this.#maxQueuedRecords = Math.ceil(maxBufferedRecords / 2)
    // Half of the delivery timeout, so that a request without a response is retried once before the
    // call times out.
    const requestTimeoutMs = Math.max(500, Math.floor(this.#deliveryTimeoutMs / 2))
    this.#cluster = new Cluster(connection, { requestTimeoutMs })
  }

  async send(records: readonly OutputRecord[], { signal }: SendOptions = {}): Promise<void> {
    if (records.length === 0) return
    checkSignal('signal', signal)
    signal?.throwIfAborted()
    this.#signal?.throwIfAborted()
    if (this.#closed) throw new KafkaError('CLOSED', 'the producer is closed', { retryable: false })
    const { call, answer } = this.#calls.open(records.length, sumOfBytes(records))
    const unknown = new Set(records.map(({ topic }) => topic).filter(topic => !this.#isKnown(topic)))
    if (unknown.size === 0) this.#enqueue(records, call)
    else {
      Promise.all([...unknown].map(topic => this.#lookUp(topic))).then(
        () => this.#enqueue(records, call),
        error => this.#calls.fail(call, toKafkaError(error, 'looking up topics'))
      )
    }
    return signal === undefined ? answer : this.#calls.abortable(call, answer, signal)
  }

  forgetFacts(): void {
    this.#cluster.forget()
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#signal?.removeEventListener('abort', this.#abort)
    while (this.#working.size > 0) await Promise.all(this.#working)
    await this.#cluster.close()
  }

  /** Rejects the pending calls and disconnects. */
  readonly #abort = (): void => {
    this.#calls.failAll(this.#signal?.reason)
    this.close().catch(() => {}) // no call is pending, so a failure has no effect
  }

  #isKnown(topic: string): boolean {
    return this.#cluster.knownPartitions(topic) !== undefined
  }

  /** Looks up a topic once for all pending calls, and retries while there are any. */
  #lookUp(topic: string): Promise<void> {
    let lookUp = this.#lookUps.get(topic)
    if (lookUp === undefined) {
      const look = async () => void (await this.#cluster.partitions(topic))
      lookUp = retryUntil(() => this.#calls.isEmpty, look).finally(() => this.#lookUps.delete(topic))
      this.#lookUps.set(topic, lookUp)
    }
    return lookUp
  }

  #enqueue(records: readonly OutputRecord[], call: PendingSend): void {
    if (call.hasEnded) return
    const queues: PartitionQueue[] = []
    for (const record of records) {
      const partitionCount = this.#cluster.knownPartitions(record.topic)?.length
      if (partitionCount === undefined) {
        // The cached partitions have just expired.
        this.#lookUp(record.topic).then(
          () => this.#enqueue(records, call),
          error => this.#calls.fail(call, toKafkaError(error, 'looking up topics'))
        )
        return
      }
      const queue = this.#queue(record.topic, partitionOf(record, partitionCount))
      if (partitionCount > 1 && queue.records.length >= this.#maxQueuedRecords) {
        const message = `${queue.records.length} records of ${queue.topic}/${queue.partition} are pending. Try again later`
        this.#calls.fail(call, new KafkaError('PRODUCER_QUEUE_FULL', message, { retryable: true }))
        return
      }
      queues.push(queue)
    }
    for (const [index, queue] of queues.entries()) {
      const record = records[index] as OutputRecord
      queue.records.push({ record, bytes: approximateBytes(record), call })
      if (!queue.sending) this.#startDraining(queue)
    }
  }

  #queue(topic: string, partition: number): PartitionQueue {
    const key = partitionKey({ topic, partition })
    let queue = this.#queues.get(key)
    if (queue === undefined) {
      queue = {
        ...{ topic, partition, key, compression: compressionFor(topic, this.#compression) },
        ...{ records: [], sending: false, maxRecords: Number.POSITIVE_INFINITY }
      }
      this.#queues.set(key, queue)
    }
    return queue
  }

  #startDraining(queue: PartitionQueue): void {
    queue.sending = true
    const work = this.#drain(queue)
    this.#working.add(work)
    void work.finally(() => this.#working.delete(work))
  }

  async #drain(queue: PartitionQueue): Promise<void> {
    while (queue.records.length > 0) await this.#deliver(queue)
    queue.sending = false
  }

  /**
   * Writes one batch. Retries with the same sequence numbers while that may help and a caller is
   * waiting.
   */
  async #deliver(queue: PartitionQueue): Promise<void> {
    const { topic, partition, key, compression } = queue
    let batch: readonly QueuedRecord[] | undefined
    let mayBeAppended = false
    const take = () => {
      batch ??= takeBatch(queue, this.#limits.of(topic))
      return batch
    }
    const isOver = () =>
      (batch ?? queue.records).at(-1)?.call.hasEnded !== false || (batch === undefined && this.#isGone(queue))
    try {
      const session = await retryUntil(isOver, () => this.#currentSession())
      const { producerID, epoch, nextSequences } = session
      const firstSequence = nextSequences.get(key) ?? 0
      const encode = () => {
        const records = take().map(({ record }) => record)
        if (records.length === 0) return undefined
        const bytes = encodeRecordBatch({ records, producerID, epoch, firstSequence, isTransactional: false })
        return compression === 'none' ? bytes : compressBatch(bytes, compression)
      }
      const write = async () => {
        const connection = await this.#cluster.connectionToLeader(topic, partition)
        const mayBeAppendedBefore = mayBeAppended
        mayBeAppended = true
        const code = await this.#writeBatch(connection, { topic, partition, encode })
        if (code === 0) return
        const error = protocolError(code, `writing to ${topic}/${partition}`)
        mayBeAppended = mayBeAppendedBefore || !certainlyNotAppended(error)
        throw error
      }
      await retryUntil(isOver, write, () => this.#cluster.doubt(topic, partition))
      nextSequences.set(key, addToSequence(firstSequence, take().length))
      for (const { call } of take()) this.#calls.acknowledge(call)
      queue.maxRecords *= 2
    } catch (thrown) {
      if (batch === undefined && this.#isGone(queue)) {
        this.#reroute(queue)
        return
      }
      const error = toKafkaError(thrown, `writing to ${topic}`)
      // The next batch would reuse these sequence numbers. If this batch is in the log, the broker
      // would acknowledge the next one without writing it.
      if (mayBeAppended) this.#session = undefined
      else if (this.#divide(queue, take(), error.code)) return
      for (const { call } of take()) this.#calls.fail(call, error)
    }
  }

  /** Returns true when the topic was recreated with fewer partitions. */
  #isGone({ topic, partition }: PartitionQueue): boolean {
    const partitionCount = this.#cluster.knownPartitions(topic)?.length
    return partitionCount !== undefined && partition >= partitionCount
  }

  /**
   * Moves unsent records of a partition that no longer exists to existing partitions of the topic.
   * Rejects records with an explicit partition.
   */
  #reroute(queue: PartitionQueue): void {
    for (const queued of queue.records.splice(0)) {
      const { record, call } = queued
      const partitionCount = this.#cluster.knownPartitions(record.topic)?.length ?? 0
      const target = this.#queue(record.topic, partitionOf(record, partitionCount))
      if (target === queue || record.partition !== undefined) {
        const message = `${queue.topic}/${queue.partition} does not exist`
        this.#calls.fail(call, new KafkaError('UNKNOWN_TOPIC_OR_PARTITION', message, { retryable: true }))
        continue
      }
      target.records.push(queued)
      if (!target.sending) this.#startDraining(target)
    }
  }

  /**
   * Queues rejected records again, for smaller batches or in a smaller form. Returns false if
   * neither is possible.
   */
  #divide(queue: PartitionQueue, batch: readonly QueuedRecord[], code: string): boolean {
    const [first] = batch
    if (first === undefined || !recordRefusals.has(code)) return false
    if (batch.length > 1) {
      queue.maxRecords = Math.ceil(batch.length / 2)
      this.#limits.refused(queue.topic, sumOfBytes(batch.map(({ record }) => record)), code)
      queue.records.unshift(...batch)
      return true
    }
    const record = reduceDeadLetter(first.record, code)
    if (record === undefined) return false
    queue.records.unshift({ record, bytes: approximateBytes(record), call: first.call })
    return true
  }

  #currentSession(): Promise<Session> {
    this.#session ??= this.#initSession().catch(error => {
      this.#session = undefined
      throw error
    })
    return this.#session
  }

  async #initSession(): Promise<Session> {
    return { ...(await requestIdentity(this.#cluster)), nextSequences: new Map() }
  }
}

/** Takes as many records as the topic accepts in one batch. Skips those whose call has ended. */
function takeBatch({ records, maxRecords }: PartitionQueue, maxBytes: number): QueuedRecord[] {
  const batch: QueuedRecord[] = []
  let bytes = 0
  let taken = 0
  for (const candidate of records) {
    if (!candidate.call.hasEnded) {
      bytes += candidate.bytes
      if (batch.length > 0 && (bytes > maxBytes || batch.length >= maxRecords)) break
      batch.push(candidate)
    }
    taken++
  }
  records.splice(0, taken)
  return batch
}

function sumOfBytes(records: readonly OutputRecord[]): number {
  return records.reduce((sum, record) => sum + approximateBytes(record), 0)
}
