import { setTimeout as delay } from 'node:timers/promises'
import { initProducerIdV5 } from '@platformatic/kafka'
import { Cluster } from '../cluster/cluster.ts'
import type { KafkaConnection } from '../connection.ts'
import { checkCode, KafkaError, protocolError, toKafkaError } from '../errors.ts'
import type { OutputRecord } from '../records.ts'
import { choosePartition } from './partitioner.ts'
import { addToSequence, certainlyNotAppended, partitionKey } from './produce.ts'
import { encodeRecordBatch } from './record-batch.ts'
import { RequestBatchers } from './request-batcher.ts'

/**
 * A slot: a sequence reservation, which lets a record be written at most once *across processes*. A
 * program reserves a slot first and can store it durably. Any holder of the stored slot may then
 * write the record: immediately or hours later, several concurrently, and even while an earlier
 * request for it is in flight. Only one write reaches the log, and all of them learn that the
 * record is there.
 *
 * A **slot** is a producer id and its next sequence number in one partition. The idempotent
 * producer (KIP-98) makes its retries harmless in the same way: leader and followers remember the
 * last sequence numbers of every producer id, and answer a known batch with its original offset.
 * Nothing ties a producer id to a process; here it outlives the process.
 *
 * A **lane** is a producer id in one partition. It has at most one unreleased slot; the next one
 * exists only after the record of this one is known to be written. An abandoned slot is therefore
 * the last of its lane forever, and the broker can recognize its record. For that reason a lane
 * whose slot has an uncertain outcome is never used again. Lanes unused for an hour are dropped as
 * well.
 *
 * Brokers forget a producer id that wrote nothing for `producer.id.expiration.ms` (a day by
 * default). A slot must be written well before that.
 */
export interface SequenceReservation {
  readonly topic: string
  readonly partition: number
  readonly producerID: bigint
  readonly epoch: number
  readonly sequence: number
}

/**
 * Outcome of a slot. `written` and `unused` slots can be reused; an `uncertain` slot may still be
 * written, so its producer id is retired.
 */
export type ReservationEnd = 'written' | 'unused' | 'uncertain'

export interface ReservedWriter {
  /**
   * Reserves a slot in the partition of the key. @throws KafkaError when the cluster cannot be
   * reached in time
   */
  reserve(topic: string, key: string): Promise<SequenceReservation>
  /**
   * Writes the record of a slot. Resolves when all in-sync replicas have acknowledged it, from any
   * writer. The record must be the same each time.
   *
   * @throws ReservedWriterError
   */
  write(slot: SequenceReservation, record: OutputRecord): Promise<void>
  /** Releases a slot that this writer reserved. */
  release(slot: SequenceReservation, end: ReservationEnd): void
  /**
   * Discards cached partition counts before the next reservation. Callers that changed the
   * partitions call this.
   */
  forgetFacts(): void
  close(): Promise<void>
}

/** Error of a write; its codes are those of the producer's `send`. */
export class ReservedWriterError extends KafkaError {
  /** False if this call has certainly written nothing and never will. */
  readonly mayBeWritten: boolean

  constructor(cause: KafkaError, mayBeWritten: boolean) {
    super(cause.code, cause.message, { retryable: cause.retryable, cause })
    this.name = 'ReservedWriterError'
    this.mayBeWritten = mayBeWritten
  }
}

export interface ReservedWriterOptions {
  /** Maximum time from `write` (or `reserve`) to the result; default 10 s. */
  readonly deliveryTimeoutMs?: number
}

interface Lane {
  readonly producerID: bigint
  readonly epoch: number
  readonly sequence: number
  readonly usedAtMs: number
}

const retryDelayMs = 50
const idleMs = 3_600_000
/**
 * Number of connections per broker. A broker processes one request of a connection at a time, and
 * acknowledgements of several replicas take a while.
 */
const connections = 4

export function createReservedWriter(connection: KafkaConnection, options: ReservedWriterOptions = {}): ReservedWriter {
  const deliveryTimeoutMs = options.deliveryTimeoutMs ?? 10_000
  const requestTimeoutMs = Math.max(500, Math.floor(deliveryTimeoutMs / 2))
  const clusters = Array.from({ length: connections }, () => new Cluster(connection, { requestTimeoutMs }))
  const facts = clusters[0] as Cluster
  const couriers = new RequestBatchers(deliveryTimeoutMs)
  const idleLanes = new Map<string, Lane[]>()
  const working = new Set<Promise<unknown>>()
  let turn = 0
  let isClosed = false

  const nextCluster = () => clusters[turn++ % connections] as Cluster

  /** Retries until the attempt succeeds, fails permanently, or exceeds the timeout. */
  async function repeat<Result>(
    doing: string,
    attempt: () => Promise<Result>,
    beforeRetry = () => {}
  ): Promise<Result> {
    const deadlineMs = performance.now() + deliveryTimeoutMs
    for (;;) {
      try {
        return await attempt()
      } catch (thrown) {
        const error = toKafkaError(thrown, doing)
        if (!error.retryable || isClosed || performance.now() > deadlineMs) throw error
        beforeRetry()
        await delay(retryDelayMs)
      }
    }
  }

  /**
   * Rejects after the timeout. The underlying request continues in the background, which is safe.
   */
  async function inTime<Result>(work: Promise<Result>): Promise<Result> {
    working.add(work)
    const done = () => void working.delete(work)
    work.then(done, done)
    const { promise, reject } = Promise.withResolvers<never>()
    const timer = setTimeout(
      () =>
        reject(
          new KafkaError('DELIVERY_TIMEOUT', `not acknowledged within ${deliveryTimeoutMs} ms`, { retryable: true })
        ),
      deliveryTimeoutMs
    )
    try {
      return await Promise.race([work, promise])
    } finally {
      clearTimeout(timer)
    }
  }

  function assertOpen(): void {
    if (isClosed) throw new KafkaError('CLOSED', 'the writer is closed', { retryable: false })
  }

  /** Requests a new producer id, which provides a lane in every partition. */
  async function openLanes(cluster: Cluster, topic: string, partitionCount: number): Promise<void> {
    const response = await cluster.askAny(initProducerIdV5.api, null, 0, -1n, -1)
    checkCode(response.errorCode, 'requesting a producer id')
    const lane = { producerID: response.producerId, epoch: response.producerEpoch, sequence: 0 }
    for (let partition = 0; partition < partitionCount; partition++) keep(topic, partition, lane)
  }

  function keep(topic: string, partition: number, lane: Omit<Lane, 'usedAtMs'>): void {
    const key = partitionKey(topic, partition)
    const lanes = idleLanes.get(key) ?? []
    lanes.push({ ...lane, usedAtMs: performance.now() })
    idleLanes.set(key, lanes)
  }

  function takeIdle(topic: string, partition: number): Lane | undefined {
    const lane = idleLanes.get(partitionKey(topic, partition))?.pop()
    // The most recently used lane is last: if it is too old, all others are too.
    if (lane === undefined || performance.now() - lane.usedAtMs < idleMs) return lane
    idleLanes.delete(partitionKey(topic, partition))
    return undefined
  }

  return {
    async reserve(topic, key) {
      assertOpen()
      const cluster = nextCluster()
      const reserving = repeat('reserving a sequence number', async () => {
        // Use one cluster, so that all orders of a key use the same partition count.
        const partitionCount = (await facts.partitions(topic)).length
        const partition = choosePartition(key, partitionCount)
        for (;;) {
          const lane = takeIdle(topic, partition)
          if (lane === undefined) {
            await openLanes(cluster, topic, partitionCount)
            continue
          }
          const { producerID, epoch, sequence } = lane
          return { topic, partition, producerID, epoch, sequence }
        }
      })
      return inTime(reserving)
    },

    async write({ topic, partition, producerID, epoch, sequence }, record) {
      assertOpen()
      let mayBeWritten = false
      let isOver = false
      const cluster = nextCluster()
      const write = async () => {
        const courier = couriers.of(await cluster.connectionToLeader(topic, partition))
        const before = mayBeWritten
        const code = await courier.deliver(topic, partition, () => {
          if (isOver) return undefined
          const batch = { producerID, epoch, records: [record], firstSequence: sequence, isTransactional: false }
          const bytes = encodeRecordBatch(batch)
          mayBeWritten = true
          return { topic, partition, bytes }
        })
        // The caller already has its answer, possibly that nothing was sent.
        if (isOver) throw new KafkaError('DELIVERY_TIMEOUT', 'timed out before sending', { retryable: false })
        if (code === 0) return
        const error = protocolError(code, `writing to ${topic}/${partition}`)
        mayBeWritten = before || !certainlyNotAppended(error)
        throw error
      }
      const writing = repeat(`writing to ${topic}/${partition}`, write, () => cluster.doubt(topic, partition))
      try {
        await inTime(writing)
      } catch (thrown) {
        isOver = true
        throw new ReservedWriterError(toKafkaError(thrown, 'writing'), mayBeWritten)
      }
    },

    release({ topic, partition, producerID, epoch, sequence }, end) {
      if (end === 'uncertain') return
      keep(topic, partition, { producerID, epoch, sequence: end === 'written' ? addToSequence(sequence, 1) : sequence })
    },

    forgetFacts: () => facts.forget(),

    async close() {
      isClosed = true
      await Promise.allSettled(working)
      await Promise.all(clusters.map(cluster => cluster.close()))
    }
  }
}
