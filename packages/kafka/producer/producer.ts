import { setTimeout as delay } from 'node:timers/promises'
import { initProducerIdV5 } from '@platformatic/kafka'
import { Cluster } from '../cluster/cluster.ts'
import type { KafkaConnection } from '../connection.ts'
import { reduceDeadLetter } from '../dead-letter-replay/reduce.ts'
import { isDeadLetterTopic } from '../dead-letter-replay/topics.ts'
import { checkCode, KafkaError, protocolError, toKafkaError } from '../errors.ts'
import type { OutputRecord } from '../records.ts'
import { BatchLimits, recordRefusals } from './batch-limits.ts'
import { type PendingSend, PendingSends } from './calls.ts'
import { partitionOf } from './partitioner.ts'
import {
  addToSequence,
  approximateBytes,
  certainlyNotAppended,
  type ProducerIdentity,
  partitionKey
} from './produce.ts'
import { encodeRecordBatch } from './record-batch.ts'
import { RequestBatchers } from './request-batcher.ts'

/**
 * The idempotent producer: every record is acknowledged by all in-sync replicas, and written once
 * however often it is retried.
 *
 * Records are queued in one **lane** per partition. A lane has at most one batch in flight. A
 * broker has at most one request in flight, with a batch of every lane that has records for it
 * (request-batcher.ts). Records that arrive meanwhile form the next batches, so batches grow with
 * the load, and an idle producer sends immediately.
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
   * @throws KafkaError
   * - `PRODUCER_QUEUE_FULL`: nothing was written, try again later; one partition takes at most half
   *   of the queue
   * - `DELIVERY_TIMEOUT`: it is unknown whether the records were written
   * - `CLOSED`, or the broker's error (`MESSAGE_TOO_LARGE`, `TOPIC_AUTHORIZATION_FAILED`, …)
   */
  send(records: readonly OutputRecord[]): Promise<void>
  /**
   * Discards cached partition counts before the next send. Callers that changed the partitions call
   * this.
   */
  forgetFacts(): void
  /** Sends the pending records, then disconnects. */
  close(): Promise<void>
}

export interface ProducerOptions {
  /** Maximum time from `send` to the result; default 10 s. */
  readonly deliveryTimeoutMs?: number
  /**
   * Maximum number of records pending or in flight; above it `send` rejects immediately. Default
   * 50,000.
   */
  readonly maxBufferedRecords?: number
  /**
   * Maximum bytes of the records pending or in flight; default 64 MiB. A single call may exceed it.
   */
  readonly maxBufferedBytes?: number
}

interface Waiting {
  readonly record: OutputRecord
  readonly bytes: number
  readonly call: PendingSend
}

interface Lane {
  readonly topic: string
  readonly partition: number
  readonly waiting: Waiting[]
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

const retryDelayMs = 50

export async function createProducer(connection: KafkaConnection, options: ProducerOptions = {}): Promise<Producer> {
  return new IdempotentProducer(connection, options)
}

class IdempotentProducer implements Producer {
  readonly #cluster: Cluster
  readonly #deliveryTimeoutMs: number
  readonly #calls: PendingSends
  /**
   * Maximum number of records in a lane, so that a partition that cannot be written leaves room for
   * the others.
   */
  readonly #maxLaneRecords: number
  readonly #couriers: RequestBatchers
  readonly #lookUps = new Map<string, Promise<void>>()
  readonly #lanes = new Map<string, Lane>()
  readonly #limits = new BatchLimits()
  readonly #working = new Set<Promise<void>>()
  #session: Promise<Session> | undefined
  #closed = false

  constructor(connection: KafkaConnection, options: ProducerOptions) {
    this.#deliveryTimeoutMs = options.deliveryTimeoutMs ?? 10_000
    this.#couriers = new RequestBatchers(this.#deliveryTimeoutMs)
    const maxBufferedRecords = options.maxBufferedRecords ?? 50_000
    const maxBytes = options.maxBufferedBytes ?? 64 * 1024 * 1024
    this.#calls = new PendingSends(this.#deliveryTimeoutMs, { maxRecords: maxBufferedRecords, maxBytes })
    this.#maxLaneRecords = Math.ceil(maxBufferedRecords / 2)
    // Half of the delivery timeout, so that a request without a response is retried once before the
    // call times out.
    const requestTimeoutMs = Math.max(500, Math.floor(this.#deliveryTimeoutMs / 2))
    this.#cluster = new Cluster(connection, { requestTimeoutMs })
  }

  async send(records: readonly OutputRecord[]): Promise<void> {
    if (records.length === 0) return
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
    return answer
  }

  forgetFacts(): void {
    this.#cluster.forget()
  }

  async close(): Promise<void> {
    this.#closed = true
    while (this.#working.size > 0) await Promise.all(this.#working)
    await this.#cluster.close()
  }

  #isKnown(topic: string): boolean {
    return this.#cluster.knownPartitions(topic) !== undefined
  }

  /** Looks up a topic once for all pending calls, and retries while there are any. */
  #lookUp(topic: string): Promise<void> {
    let lookUp = this.#lookUps.get(topic)
    if (lookUp === undefined) {
      const look = async () => void (await this.#cluster.partitions(topic))
      lookUp = this.#repeat(() => this.#calls.isEmpty, look).finally(() => this.#lookUps.delete(topic))
      this.#lookUps.set(topic, lookUp)
    }
    return lookUp
  }

  #enqueue(records: readonly OutputRecord[], call: PendingSend): void {
    if (call.isSettled) return
    const lanes: Lane[] = []
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
      const lane = this.#lane(record.topic, partitionOf(record, partitionCount))
      if (partitionCount > 1 && lane.waiting.length >= this.#maxLaneRecords) {
        const message = `${lane.waiting.length} records of ${lane.topic}/${lane.partition} are pending. Try again later`
        this.#calls.fail(call, new KafkaError('PRODUCER_QUEUE_FULL', message, { retryable: true }))
        return
      }
      lanes.push(lane)
    }
    for (const [index, lane] of lanes.entries()) {
      const record = records[index] as OutputRecord
      lane.waiting.push({ record, bytes: approximateBytes(record), call })
      if (!lane.sending) this.#startDraining(lane)
    }
  }

  #lane(topic: string, partition: number): Lane {
    const key = partitionKey(topic, partition)
    let lane = this.#lanes.get(key)
    if (lane === undefined) {
      lane = { topic, partition, waiting: [], sending: false, maxRecords: Number.POSITIVE_INFINITY }
      this.#lanes.set(key, lane)
    }
    return lane
  }

  #startDraining(lane: Lane): void {
    lane.sending = true
    const work = this.#drain(lane)
    this.#working.add(work)
    void work.finally(() => this.#working.delete(work))
  }

  async #drain(lane: Lane): Promise<void> {
    while (lane.waiting.length > 0) await this.#deliver(lane)
    lane.sending = false
  }

  /**
   * Writes one batch. Retries with the same sequence numbers while that may help and a caller is
   * waiting.
   */
  async #deliver(lane: Lane): Promise<void> {
    let batch: readonly Waiting[] | undefined
    const take = () => {
      batch ??= takeBatch(lane, this.#limits.of(lane.topic))
      return batch
    }
    const isOver = () =>
      (batch ?? lane.waiting).at(-1)?.call.isSettled !== false || (batch === undefined && this.#isGone(lane))
    try {
      const session = await this.#repeat(isOver, () => this.#currentSession())
      if (!(await this.#write(lane, session, take, isOver))) return
      for (const { call } of take()) this.#calls.acknowledge(call)
      lane.maxRecords *= 2
    } catch (thrown) {
      if (batch === undefined && this.#isGone(lane)) {
        this.#reroute(lane)
        return
      }
      const error = toKafkaError(thrown, `writing to ${lane.topic}`)
      for (const { call } of take()) this.#calls.fail(call, error)
    }
  }

  /** Returns true when the topic was recreated with fewer partitions. */
  #isGone({ topic, partition }: Lane): boolean {
    const partitionCount = this.#cluster.knownPartitions(topic)?.length
    return partitionCount !== undefined && partition >= partitionCount
  }

  /** Moves unsent records to the partitions that exist. */
  #reroute(lane: Lane): void {
    for (const waiting of lane.waiting.splice(0)) {
      const { record, call } = waiting
      const partitionCount = this.#cluster.knownPartitions(record.topic)?.length ?? 0
      const target = this.#lane(record.topic, partitionOf(record, partitionCount))
      if (target === lane || record.partition !== undefined) {
        const message = `${lane.topic}/${lane.partition} does not exist`
        this.#calls.fail(call, new KafkaError('UNKNOWN_TOPIC_OR_PARTITION', message, { retryable: true }))
        continue
      }
      target.waiting.push(waiting)
      if (!target.sending) this.#startDraining(target)
    }
  }

  /**
   * Writes a batch. Returns false when its records were queued again, to be sent in another form.
   */
  async #write(lane: Lane, session: Session, take: () => readonly Waiting[], isOver: () => boolean): Promise<boolean> {
    const { topic, partition } = lane
    const { producerID, epoch } = session
    const key = partitionKey(topic, partition)
    const firstSequence = session.nextSequences.get(key) ?? 0
    const pack = () => {
      const records = take().map(({ record }) => record)
      if (records.length === 0) return undefined
      const isCompressed = isDeadLetterTopic(topic)
      const writer = { producerID, epoch, firstSequence, isTransactional: false }
      return { topic, partition, bytes: encodeRecordBatch({ records, isCompressed, ...writer }) }
    }
    let mayBeAppended = false
    try {
      const write = async () => {
        const courier = this.#couriers.of(await this.#cluster.connectionToLeader(topic, partition))
        const mayBeAppendedBefore = mayBeAppended
        mayBeAppended = true
        const code = await courier.deliver(topic, partition, pack)
        if (code === 0) return
        const error = protocolError(code, `writing to ${topic}/${partition}`)
        mayBeAppended = mayBeAppendedBefore || !certainlyNotAppended(error)
        throw error
      }
      await this.#repeat(isOver, write, () => this.#cluster.doubt(topic, partition))
    } catch (error) {
      // The next batch would reuse these sequence numbers. If this batch is in the log, the broker
      // would acknowledge the next one without writing it.
      if (mayBeAppended) this.#session = undefined
      else if (this.#divide(lane, take(), toKafkaError(error, 'writing').code)) return false
      throw error
    }
    session.nextSequences.set(key, addToSequence(firstSequence, take().length))
    return true
  }

  /**
   * Queues rejected records again, for smaller batches or in a smaller form. Returns false if
   * neither is possible.
   */
  #divide(lane: Lane, batch: readonly Waiting[], code: string): boolean {
    const [first] = batch
    if (first === undefined || !recordRefusals.has(code)) return false
    if (batch.length > 1) {
      lane.maxRecords = Math.ceil(batch.length / 2)
      this.#limits.refused(lane.topic, sumOfBytes(batch.map(({ record }) => record)), code)
      lane.waiting.unshift(...batch)
      return true
    }
    const record = reduceDeadLetter(first.record, code)
    if (record === undefined) return false
    lane.waiting.unshift({ record, bytes: approximateBytes(record), call: first.call })
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
    const response = await this.#cluster.askAny(initProducerIdV5.api, null, 0, -1n, -1)
    checkCode(response.errorCode, 'requesting a producer id')
    return {
      producerID: response.producerId,
      epoch: response.producerEpoch,
      nextSequences: new Map()
    }
  }

  /**
   * Retries until the attempt succeeds, fails permanently, or no caller is waiting. @throws
   * KafkaError the last failure
   */
  async #repeat<Result>(
    isOver: () => boolean,
    attempt: () => Promise<Result>,
    beforeRetry = () => {}
  ): Promise<Result> {
    for (;;) {
      try {
        return await attempt()
      } catch (thrown) {
        const error = toKafkaError(thrown, 'writing')
        if (!error.retryable || isOver()) throw error
        beforeRetry()
        await delay(retryDelayMs)
      }
    }
  }
}

/** Takes as many records as the topic accepts in one batch. Skips those whose call has ended. */
function takeBatch({ waiting, maxRecords }: Lane, maxBytes: number): Waiting[] {
  const batch: Waiting[] = []
  let bytes = 0
  let taken = 0
  for (const candidate of waiting) {
    if (!candidate.call.isSettled) {
      bytes += candidate.bytes
      if (batch.length > 0 && (bytes > maxBytes || batch.length >= maxRecords)) break
      batch.push(candidate)
    }
    taken++
  }
  waiting.splice(0, taken)
  return batch
}

function sumOfBytes(records: readonly OutputRecord[]): number {
  return records.reduce((sum, record) => sum + approximateBytes(record), 0)
}
