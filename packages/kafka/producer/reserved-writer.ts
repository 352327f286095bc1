import { Cluster } from '../cluster/cluster.ts'
import type { KafkaConnection } from '../connection.ts'
import { KafkaError, protocolError, toKafkaError } from '../errors.ts'
import { checkPositiveIntegers } from '../options.ts'
import { choosePartition, type OutputRecord } from '../records.ts'
import { partitionKey } from '../types.ts'
import {
  addToSequence,
  certainlyNotAppended,
  createBatchWriter,
  type ProducerIdentity,
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
  /** Releases a reservation that this writer made. */
  release(reservation: SequenceReservation, end: ReservationEnd): void
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

  constructor(cause: KafkaError, mayBeWritten: boolean) {
    super(cause.code, cause.message, { retryable: cause.retryable, cause })
    this.name = 'ReservedWriterError'
    this.mayBeWritten = mayBeWritten
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

  return {
    async reserve(topic, key) {
      assertOpen()
      const cluster = nextCluster()
      const reserving = retryUntil(startTimeout(), async () => {
        // Use one cluster, so that all orders of a key use the same partition count.
        const partitionCount = (await facts.partitions(topic)).length
        const partition = choosePartition(key, partitionCount)
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
    },

    async write({ topic, partition, producerID, epoch, sequence }, record) {
      assertOpen()
      let mayBeWritten = false
      let isOver = false
      const cluster = nextCluster()
      const encode = () => {
        if (isOver) return undefined
        const batch = { producerID, epoch, records: [record], firstSequence: sequence, isTransactional: false }
        const bytes = encodeRecordBatch(batch)
        mayBeWritten = true
        return bytes
      }
      const write = async () => {
        const connection = await cluster.connectionToLeader(topic, partition)
        const mayBeWrittenBefore = mayBeWritten
        const code = await writeBatch(connection, { topic, partition, encode })
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
