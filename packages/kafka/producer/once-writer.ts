import { setTimeout as delay } from 'node:timers/promises'
import { initProducerIdV5 } from '@platformatic/kafka'
import { Cluster } from '../cluster/cluster.ts'
import type { KafkaConnection } from '../connection.ts'
import { checkCode, KafkaError, protocolError, toKafkaError } from '../errors.ts'
import type { OutputRecord } from '../records.ts'
import { Couriers } from './courier.ts'
import { choosePartition } from './partitioner.ts'
import { addToSequence, certainlyNotAppended, partitionKey } from './produce.ts'
import { encodeRecordBatch } from './record-batch.ts'

/**
 * Writes a record at most once *across processes*: a place for it is reserved first, can be noted down somewhere durable, and
 * whoever holds the note may write it, at once or hours later, several at the same time, also while an earlier request for it is
 * still on its way. Only one of them gets it into the log, and all of them are told that it is there.
 *
 * A **slot** is a producer id and the next sequence number of it in one partition. That is what the idempotent producer (KIP-98)
 * makes its retries harmless with: leader and followers remember the last numbers of every producer id, and answer a batch that
 * they have with the offset it got. Nothing ties a producer id to a process; here it outlives one.
 *
 * A **lane** is a producer id in one partition. It holds one slot that is not given back; the next one exists only after the record
 * of this one is known to be written, so that a slot that was left behind is the last of its lane for ever, and the broker can
 * tell. So a lane whose slot had an uncertain end is never used again. Lanes that nobody used for an hour are dropped as well.
 *
 * Brokers forget a producer id that wrote nothing for `producer.id.expiration.ms` (a day unless set): a slot must be written well
 * before that.
 */
export interface WriteSlot {
  readonly topic: string
  readonly partition: number
  readonly producerID: bigint
  readonly epoch: number
  readonly sequence: number
}

/** What became of a slot: `written` and `unused` slots free their lane; of an `uncertain` one somebody may still make use. */
export type SlotEnd = 'written' | 'unused' | 'uncertain'

export interface OnceWriter {
  /** A slot in the partition of the key. @throws KafkaError when the cluster cannot be reached in time */
  reserve(topic: string, key: string): Promise<WriteSlot>
  /**
   * Resolves when the slot's record is acknowledged by all in-sync replicas, whoever wrote it. The record must be the same each time.
   * @throws OnceWriterError
   */
  write(slot: WriteSlot, record: OutputRecord): Promise<void>
  /** Of a slot that this writer reserved. */
  giveBack(slot: WriteSlot, end: SlotEnd): void
  /** Asks the cluster for its partitions before the next slot is reserved. Callers that changed the partitions call this. */
  forgetFacts(): void
  close(): Promise<void>
}

/** Codes as of the producer's `send`. */
export class OnceWriterError extends KafkaError {
  /** False when this call has certainly written nothing and never will. */
  readonly mayBeWritten: boolean

  constructor(cause: KafkaError, mayBeWritten: boolean) {
    super(cause.code, cause.message, { retryable: cause.retryable, cause })
    this.name = 'OnceWriterError'
    this.mayBeWritten = mayBeWritten
  }
}

export interface OnceWriterOptions {
  /** From `write` (or `reserve`) to the answer, at most. */
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
/** A broker works on one request of a connection at a time; acknowledgements of several replicas take a while. */
const connections = 4

export function createOnceWriter(connection: KafkaConnection, options: OnceWriterOptions = {}): OnceWriter {
  const deliveryTimeoutMs = options.deliveryTimeoutMs ?? 10_000
  const requestTimeoutMs = Math.max(500, Math.floor(deliveryTimeoutMs / 2))
  const clusters = Array.from({ length: connections }, () => new Cluster(connection, { requestTimeoutMs }))
  const facts = clusters[0] as Cluster
  const couriers = new Couriers(deliveryTimeoutMs)
  const idleLanes = new Map<string, Lane[]>()
  const working = new Set<Promise<unknown>>()
  let turn = 0
  let isClosed = false

  const nextCluster = () => clusters[turn++ % connections] as Cluster

  /** Tries until it succeeds, cannot succeed, or time is up. */
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

  /** The answer in time; what is under way then goes on by itself and does no harm. */
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

  /** One new producer id is a lane in every partition. */
  async function openLanes(cluster: Cluster, topic: string, partitionCount: number): Promise<void> {
    const response = await cluster.askAny(initProducerIdV5.api, null, 0, -1n, -1)
    checkCode(response.errorCode, 'asking for a producer id')
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
    // The one used last is on top: when it is too old, so are all below it.
    if (lane === undefined || performance.now() - lane.usedAtMs < idleMs) return lane
    idleLanes.delete(partitionKey(topic, partition))
    return undefined
  }

  return {
    async reserve(topic, key) {
      assertOpen()
      const cluster = nextCluster()
      const reserving = repeat('reserving a slot', async () => {
        // From one cluster, so that all orders of a key go by the same count.
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
        // The caller has been told by now, perhaps that nothing was sent.
        if (isOver) throw new KafkaError('DELIVERY_TIMEOUT', 'too late', { retryable: false })
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
        throw new OnceWriterError(toKafkaError(thrown, 'writing'), mayBeWritten)
      }
    },

    giveBack({ topic, partition, producerID, epoch, sequence }, end) {
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
