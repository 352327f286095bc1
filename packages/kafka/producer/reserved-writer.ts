import { Cluster } from '../cluster/cluster.ts'
import type { KafkaConnection } from '../connection.ts'
import { KafkaError, protocolError, toKafkaError } from '../errors.ts'
import { checkPositiveIntegers } from '../options.ts'
import { choosePartition, type OutputRecord } from '../records.ts'
import { partitionKey } from '../types.ts'
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
import { encodeRecordBatch } from './record-batch.ts'

/**
 * A sequence reservation: a producer id and its next sequence number in one partition. It lets a
 * record be written at most once *across processes*. A program makes a reservation first and can
 * store it durably. Any holder of the stored reservation may then write the record: immediately or
 * hours later, several concurrently, and even while an earlier request for it is in flight. Only
 * one write reaches the log, and all of them learn that the record is there.
 *
 * The idempotent producer (KIP-98) makes its retries harmless in the same way: leader and followers
 * remember the last sequence numbers of every producer id, and answer a known batch with its
 * original offset. Nothing ties a producer id to a process; here it outlives the process.
 *
 * A producer id has at most one unreleased reservation in a partition; the next one exists only
 * after the record of this one is known to be written. An abandoned reservation therefore keeps the
 * last sequence number of its producer id forever, and the broker can recognize its record. For
 * that reason, a producer id whose reservation has an uncertain outcome is never used again in that
 * partition. Producer ids unused for an hour are dropped as well.
 *
 * Several records can share a reservation: they form one batch, with consecutive sequence numbers
 * from the reserved one on. The program stores the encoded batch with the reservation. Every holder
 * then writes the same bytes, because a broker recognizes a batch by its first and last sequence
 * number.
 *
 * Brokers forget a producer id that wrote nothing for `producer.id.expiration.ms` (a day by
 * default). A record must be written well before that.
 */
export interface SequenceReservation {
  readonly topic: string
  readonly partition: number
  readonly producerID: bigint
  readonly epoch: number
  readonly sequence: number
}

/**
 * Outcome of a reservation. After `written` and `unused` its producer id is used again; after
 * `uncertain` the record may still be written, so the producer id is retired.
 */
export type ReservationEnd = 'written' | 'unused' | 'uncertain'

/** Writes records at most once across processes, by sequence reservations. */
export interface ReservedWriter {
  /**
   * Makes a reservation in the partition of the key. @throws KafkaError when the cluster cannot be
   * reached in time
   */
  reserve(topic: string, key: string): Promise<SequenceReservation>
  /**
   * Writes the record of a reservation. Resolves when all in-sync replicas have acknowledged it, from any
   * writer. The record must be the same each time.
   *
   * @throws ReservedWriterError
   */
  write(reservation: SequenceReservation, record: OutputRecord): Promise<void>
  /**
   * Releases a reservation that this writer made.
   * @param records number of records that were written with it; 1 by default
   */
  release(reservation: SequenceReservation, end: ReservationEnd, records?: number): void
  /** Returns the partition of a key. @throws KafkaError when the cluster cannot be reached in time */
  partitionOf(topic: string, key: string): Promise<number>
  /** Makes a reservation in a partition. @throws KafkaError as `reserve` does */
  reserveIn(topic: string, partition: number): Promise<SequenceReservation>
  /** Maximum number of bytes in a batch of the topic, as far as it is known. */
  maxBatchBytes(topic: string): number
  /** Encodes records as the one batch of a reservation. */
  encode(reservation: SequenceReservation, records: readonly OutputRecord[]): Buffer
  /**
   * Writes a batch that `encode` has returned, in this process or in another one. Resolves and
   * rejects as `write` does. Concurrent calls for several partitions share a request.
   */
  writeEncoded(target: Pick<SequenceReservation, 'topic' | 'partition'>, batch: Buffer): Promise<void>
  /**
   * Discards cached partition counts before the next reservation. Callers that changed the
   * partitions call this.
   */
  forgetFacts(): void
  /** Closes its connections. */
  close(): Promise<void>
}

/** Error of a write; its codes are those of the producer's `send`. */
export class ReservedWriterError extends KafkaError {
  /** False if this call has certainly written nothing and never will. */
  readonly mayBeWritten: boolean
  /** True if the broker rejected at least one of the records, and would reject it again. */
  readonly rejectsRecords: boolean

  constructor(cause: KafkaError, mayBeWritten: boolean) {
    super(cause.code, cause.message, { retryable: cause.retryable, cause })
    this.name = 'ReservedWriterError'
    this.mayBeWritten = mayBeWritten
    this.rejectsRecords = recordRefusals.has(cause.code)
  }
}

/** Options of `createReservedWriter`. */
export interface ReservedWriterOptions {
  /** Maximum time from `write` (or `reserve`) to the result; default 10 s. */
  readonly deliveryTimeoutMs?: number
}

/** A producer id without a reservation in a partition, and its next sequence number there. */
interface IdleIdentity extends ProducerIdentity {
  readonly sequence: number
  readonly usedAtMs: number
}

const idleMs = 3_600_000
/**
 * Number of connections per broker. A broker processes one request of a connection at a time, and
 * acknowledgements of several replicas take a while.
 */
const connections = 4

/** Creates a writer, which keeps its connections and producer ids until it is closed. */
export function createReservedWriter(connection: KafkaConnection, options: ReservedWriterOptions = {}): ReservedWriter {
  checkPositiveIntegers({ deliveryTimeoutMs: options.deliveryTimeoutMs })
  const deliveryTimeoutMs = options.deliveryTimeoutMs ?? 10_000
  const requestTimeoutMs = Math.max(500, Math.floor(deliveryTimeoutMs / 2))
  const clusters = Array.from({ length: connections }, () => new Cluster(connection, { requestTimeoutMs }))
  const facts = clusters[0] as Cluster
  const writeBatch = createBatchWriter(deliveryTimeoutMs)
  const idle = new Map<string, IdleIdentity[]>()
  const limits = new BatchLimits()
  const working = new Set<Promise<unknown>>()
  let turn = 0
  let isClosed = false

  const nextCluster = () => clusters[turn++ % connections] as Cluster

  /** Returns a function that returns true after the timeout of an attempt that starts now. */
  function startTimeout(): () => boolean {
    const deadlineMs = performance.now() + deliveryTimeoutMs
    return () => isClosed || performance.now() > deadlineMs
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

  function keep(topic: string, partition: number, identity: Omit<IdleIdentity, 'usedAtMs'>): void {
    const key = partitionKey({ topic, partition })
    const identities = idle.get(key) ?? []
    identities.push({ ...identity, usedAtMs: performance.now() })
    idle.set(key, identities)
  }

  function takeIdle(topic: string, partition: number): IdleIdentity | undefined {
    const key = partitionKey({ topic, partition })
    const identity = idle.get(key)?.pop()
    // The most recently used one is last: if it is too old, all others are too.
    if (identity === undefined || performance.now() - identity.usedAtMs < idleMs) return identity
    idle.delete(key)
    return undefined
  }

  async function deliver(cluster: Cluster, topic: string, partition: number, encode: () => Buffer): Promise<void> {
    assertOpen()
    let mayBeWritten = false
    let isOver = false
    const encodeUnlessOver = () => {
      if (isOver) return undefined
      const bytes = encode()
      mayBeWritten = true
      return bytes
    }
    const write = async () => {
      const connection = await cluster.connectionToLeader(topic, partition)
      const mayBeWrittenBefore = mayBeWritten
      const code = await writeBatch(connection, { topic, partition, encode: encodeUnlessOver })
      // The caller already has its answer, possibly that nothing was sent.
      if (isOver) throw new KafkaError('DELIVERY_TIMEOUT', 'timed out before sending', { retryable: false })
      if (code === 0) return
      const error = protocolError(code, `writing to ${topic}/${partition}`)
      mayBeWritten = mayBeWrittenBefore || !certainlyNotAppended(error)
      throw error
    }
    const writing = retryUntil(startTimeout(), write, () => cluster.doubt(topic, partition))
    try {
      await inTime(writing)
    } catch (thrown) {
      isOver = true
      throw new ReservedWriterError(toKafkaError(thrown, 'writing'), mayBeWritten)
    }
  }

  /** Makes a reservation in the partition that is chosen for the number of partitions. */
  async function reserveChosen(topic: string, choose: (partitionCount: number) => number) {
    assertOpen()
    const cluster = nextCluster()
    const reserving = retryUntil(startTimeout(), async () => {
      // Use one cluster, so that all orders of a key use the same partition count.
      const partitionCount = (await facts.partitions(topic)).length
      const partition = choose(partitionCount)
      if (partition >= partitionCount)
        throw new KafkaError('UNKNOWN_TOPIC_OR_PARTITION', `${topic}/${partition} does not exist`, { retryable: true })
      for (;;) {
        const identity = takeIdle(topic, partition)
        if (identity !== undefined) {
          const { producerID, epoch, sequence } = identity
          return { topic, partition, producerID, epoch, sequence }
        }
        // A new producer id can be used in every partition.
        const fresh = await requestIdentity(cluster)
        for (let each = 0; each < partitionCount; each++) keep(topic, each, { ...fresh, sequence: 0 })
      }
    })
    try {
      return await inTime(reserving)
    } catch (thrown) {
      throw toKafkaError(thrown, 'reserving a sequence number')
    }
  }

  function encode({ producerID, epoch, sequence }: SequenceReservation, records: readonly OutputRecord[]): Buffer {
    return encodeRecordBatch({ producerID, epoch, records, firstSequence: sequence, isTransactional: false })
  }

  return {
    reserve: (topic, key) => reserveChosen(topic, partitionCount => choosePartition(key, partitionCount)),
    reserveIn: (topic, partition) => reserveChosen(topic, () => partition),

    async partitionOf(topic, key) {
      assertOpen()
      const known = facts.knownPartitions(topic)
      if (known !== undefined) return choosePartition(key, known.length)
      const asking = retryUntil(startTimeout(), () => facts.partitions(topic))
      try {
        return choosePartition(key, (await inTime(asking)).length)
      } catch (thrown) {
        throw toKafkaError(thrown, 'looking up partitions')
      }
    },

    async write(reservation, record) {
      const { topic, partition } = reservation
      await deliver(nextCluster(), topic, partition, () => encode(reservation, [record]))
    },

    release({ topic, partition, producerID, epoch, sequence }, end, records = 1) {
      if (end === 'uncertain') return
      const next = end === 'written' ? addToSequence(sequence, records) : sequence
      keep(topic, partition, { producerID, epoch, sequence: next })
    },

    maxBatchBytes: topic => limits.of(topic),
    encode,

    async writeEncoded({ topic, partition }, batch) {
      try {
        // One connection to each broker, so that batches for several partitions share a request.
        await deliver(facts, topic, partition, () => batch)
      } catch (error) {
        if (error instanceof ReservedWriterError) limits.refused(topic, batch.length, error.code)
        throw error
      }
    },

    forgetFacts: () => facts.forget(),

    async close() {
      isClosed = true
      await Promise.allSettled(working)
      await Promise.all(clusters.map(cluster => cluster.close()))
    }
  }
}
