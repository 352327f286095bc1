import { channel } from 'node:diagnostics_channel'
import {
  KafkaError,
  type OutputRecord,
  type ReservationEnd,
  type ReservedWriter,
  ReservedWriterError,
  type SequenceReservation
} from '@orderly/kafka'
import { type Logger, newID } from '@orderly/service-kit'
import { maxTries, notConverged } from '../store/idempotency-keys.ts'
import type { BatchClaim, KeyClaim, KeyStore, KnownKey } from '../store/key-state.ts'

/** An order with a key, and its record in `orders.created`. */
export interface KeyedRecord {
  readonly claim: KeyClaim
  readonly record: OutputRecord
}

export interface KeyedBatchesOptions {
  readonly writer: ReservedWriter
  readonly topic: string
  readonly keys: Pick<KeyStore, 'claim' | 'markStored' | 'releaseBatch' | 'forgetBatch'>
  /** Duration of the lease; longer than writing a batch can take. */
  readonly leaseMs: number
  /** Maximum time that an order waits for its claim. */
  readonly waitMs: number
  /** Maximum number of orders that wait or are in flight. */
  readonly maxPending: number
  readonly logger: Pick<Logger, 'warn'>
}

/** Claims and writes orders with keys, in batches. */
export interface KeyedBatches {
  /**
   * Claims the key and writes the order.
   * @returns undefined when the order is stored, or the key if it exists and nothing was claimed
   * @throws KafkaError `PRODUCER_QUEUE_FULL` (nothing was written) or an error of the writer;
   * StoreUnavailableError
   */
  add(order: KeyedRecord): Promise<KnownKey | undefined>
}

/**
 * Failpoints of an order with a key. A crash at any of them must not change the result. A tracer,
 * or a test that kills the process at a failpoint, subscribes to the diagnostics channel
 * `orderly:keyed-order`.
 */
type KeyedOrderFailpoint = 'sequence-reserved' | 'key-claimed' | 'order-written' | 'key-stored'

const keyedOrders = channel('orderly:keyed-order')

export function failpoint(point: KeyedOrderFailpoint): void {
  if (keyedOrders.hasSubscribers) keyedOrders.publish({ point })
}

interface Waiting extends KeyedRecord {
  readonly bytes: number
  readonly deadlineMs: number
  readonly resolve: (known: KnownKey | undefined) => void
  readonly reject: (error: unknown) => void
}

interface PartitionQueue {
  readonly partition: number
  waiting: Waiting[]
  /** Number of batches that are claimed or being claimed. */
  inFlight: number
  /** Maximum number of records in a batch; reduced while searching for a record that brokers reject. */
  maxRecords: number
}

/** Orders of one partition that are claimed together. */
interface Group {
  readonly queue: PartitionQueue
  readonly reservation: SequenceReservation
  orders: readonly Waiting[]
}

type ClaimedGroup = Group & { readonly batch: BatchClaim }

/**
 * Maximum number of batches in flight in a partition: one is claimed while another is written. A
 * partition that cannot be written does not delay the others.
 */
const maxInFlight = 2
const maxRecords = 500
/** Upper bound for the headers and lengths of a record. */
const headerBytes = 512
/**
 * Minimum time between claims. Like the pause of the producer, it makes batches larger under load: an
 * order with a key then takes a fifth less CPU time of all processes than with 2 ms. A single order
 * never waits.
 */
const minIntervalMs = 5
const sweepIntervalMs = 50

export function createKeyedBatches(options: KeyedBatchesOptions): KeyedBatches {
  const { writer, topic, keys, leaseMs, waitMs, maxPending, logger } = options
  const queues = new Map<number, PartitionQueue>()
  let pending = 0
  let isScheduled = false
  let startedMs = Number.NEGATIVE_INFINITY
  let sweeper: NodeJS.Timeout | undefined

  function queueOf(partition: number): PartitionQueue {
    let queue = queues.get(partition)
    if (queue === undefined) {
      queue = { partition, waiting: [], inFlight: 0, maxRecords }
      queues.set(partition, queue)
    }
    return queue
  }

  const isReady = ({ waiting, inFlight }: PartitionQueue) => waiting.length > 0 && inFlight < maxInFlight

  /** Starts the next claim unless one is in flight. */
  function schedule(): void {
    if (isScheduled || ![...queues.values()].some(isReady)) return
    isScheduled = true
    const waitMs = startedMs + minIntervalMs - performance.now()
    const start = () => {
      startedMs = performance.now()
      void claimNext().finally(() => {
        isScheduled = false
        schedule()
      })
    }
    if (waitMs > 0) setTimeout(start, Math.ceil(waitMs))
    else setImmediate(start)
  }

  /** Claims a batch in every partition that has orders and may have another batch. Never rejects. */
  async function claimNext(): Promise<void> {
    const ready = [...queues.values()].filter(isReady)
    const reserved = await Promise.allSettled(ready.map(({ partition }) => writer.reserveIn(topic, partition)))
    failpoint('sequence-reserved')
    const names = new Set<string>()
    const groups: Group[] = []
    for (const [index, queue] of ready.entries()) {
      const result = reserved[index] as PromiseSettledResult<SequenceReservation>
      if (result.status === 'rejected') {
        for (const { reject } of queue.waiting.splice(0)) reject(result.reason)
        continue
      }
      const orders = take(queue, names, writer.maxBatchBytes(topic))
      if (orders.length === 0) writer.release(result.value, 'unused')
      else {
        queue.inFlight++
        groups.push({ queue, reservation: result.value, orders })
      }
    }
    for (const group of await claim(groups)) void deliver(group)
  }

  /** Claims the orders of the groups except those whose keys exist. Never rejects. */
  async function claim(groups: readonly Group[]): Promise<ClaimedGroup[]> {
    let left = groups
    for (let tries = 0; tries < maxTries; tries++) {
      left = left.filter(group => {
        if (group.orders.length > 0) return true
        leave(group, 'unused')
        return false
      })
      if (left.length === 0) return []
      try {
        const claimed = left.map((group): ClaimedGroup => ({ ...group, batch: toBatch(group) }))
        const known = await keys.claim(
          claimed.map(({ batch }) => batch),
          leaseMs
        )
        failpoint('key-claimed')
        if (known === undefined) return claimed
        for (const group of left) group.orders = withoutKnown(group.orders, known)
      } catch (error) {
        // It is unknown whether the batches were stored.
        for (const group of left) fail(group, 'uncertain', error)
        return []
      }
    }
    for (const group of left) fail(group, 'unused', notConverged())
    return []
  }

  function toBatch({ queue, reservation, orders }: Group): BatchClaim {
    const bytes = writer.encode(
      reservation,
      orders.map(({ record }) => record)
    )
    return { id: newID(), partition: queue.partition, bytes, claims: orders.map(({ claim }) => claim) }
  }

  /** Writes a claimed batch and answers its orders. Never rejects. */
  async function deliver(group: ClaimedGroup): Promise<void> {
    const { queue, reservation, orders, batch } = group
    try {
      await writer.writeEncoded(reservation, batch.bytes)
    } catch (error) {
      await undo(group, error)
      return
    }
    failpoint('order-written')
    const isMarked = await keys.markStored(batch.id).then(
      () => true,
      error => {
        // The orders are stored, so the callers get 202. A later attempt writes no second batch.
        warnNotUpdated(error, group)
        return false
      }
    )
    failpoint('key-stored')
    queue.maxRecords = Math.min(maxRecords, queue.maxRecords * 2)
    for (const { resolve } of orders) resolve(undefined)
    // A producer id whose batch still has a row must not write another batch.
    leave(group, isMarked ? 'written' : 'uncertain')
  }

  async function undo(group: ClaimedGroup, error: unknown): Promise<void> {
    const { queue, orders, batch } = group
    const isUnwritten = error instanceof ReservedWriterError && !error.mayBeWritten
    let isForgotten = false
    try {
      if (isUnwritten) isForgotten = await keys.forgetBatch(batch)
      else await keys.releaseBatch(batch.id, 1)
    } catch (failure) {
      warnNotUpdated(failure, group)
    }
    if (isForgotten && isUnwritten && error.rejectsRecords && orders.length > 1) {
      queue.maxRecords = Math.ceil(orders.length / 2)
      queue.waiting.unshift(...orders)
      leave(group, 'uncertain')
    } else fail(group, 'uncertain', error)
  }

  function fail(group: Group, end: ReservationEnd, error: unknown): void {
    for (const { reject } of group.orders) reject(error)
    leave(group, end)
  }

  function leave({ queue, reservation, orders }: Group, end: ReservationEnd): void {
    writer.release(reservation, end, orders.length)
    queue.inFlight--
    schedule()
  }

  function warnNotUpdated(error: unknown, { orders }: Group): void {
    logger.warn(
      { event: 'idempotency_key_not_updated', error, traceparent: orders[0]?.claim.traceparent, orders: orders.length },
      'failed to store the state of idempotency keys, the next request with a key of this batch will store it'
    )
  }

  /** Rejects orders whose claim has not started in time. */
  function sweep(): void {
    const nowMs = performance.now()
    let waiting = 0
    for (const queue of queues.values()) {
      for (const { reject } of queue.waiting.filter(({ deadlineMs }) => deadlineMs <= nowMs))
        reject(new KafkaError('DELIVERY_TIMEOUT', `not claimed within ${waitMs} ms`, { retryable: true }))
      queue.waiting = queue.waiting.filter(({ deadlineMs }) => deadlineMs > nowMs)
      waiting += queue.waiting.length
    }
    if (waiting > 0) return
    clearInterval(sweeper)
    sweeper = undefined
  }

  async function enqueue(order: KeyedRecord): Promise<KnownKey | undefined> {
    const queue = queueOf(await writer.partitionOf(topic, order.record.key as string))
    const { promise, resolve, reject } = Promise.withResolvers<KnownKey | undefined>()
    const { key, value } = order.record
    const bytes = (key?.length ?? 0) + (value?.length ?? 0) + headerBytes
    queue.waiting.push({ ...order, bytes, deadlineMs: performance.now() + waitMs, resolve, reject })
    sweeper ??= setInterval(sweep, sweepIntervalMs)
    schedule()
    return promise
  }

  return {
    async add(order) {
      if (pending >= maxPending) {
        const message = `${pending} orders with idempotency keys are pending. Try again later`
        throw new KafkaError('PRODUCER_QUEUE_FULL', message, { retryable: true })
      }
      pending++
      try {
        return await enqueue(order)
      } finally {
        pending--
      }
    }
  }
}

/** Takes the first orders whose names are not taken yet, as many as fit into a batch. */
function take(queue: PartitionQueue, names: Set<string>, maxBytes: number): Waiting[] {
  const taken: Waiting[] = []
  const left: Waiting[] = []
  let bytes = 0
  for (const order of queue.waiting) {
    const name = nameOf(order.claim)
    const isFull = taken.length === queue.maxRecords || (taken.length > 0 && bytes + order.bytes > maxBytes)
    if (isFull || names.has(name)) {
      left.push(order)
      continue
    }
    names.add(name)
    bytes += order.bytes
    taken.push(order)
  }
  queue.waiting = left
  return taken
}

/** Answers the orders whose keys exist, and returns the others. */
function withoutKnown(orders: readonly Waiting[], known: readonly KnownKey[]): Waiting[] {
  const byName = new Map(known.map(key => [nameOf(key), key]))
  return orders.filter(({ claim, resolve }) => {
    const own = byName.get(nameOf(claim))
    if (own !== undefined) resolve(own)
    return own === undefined
  })
}

/** Returns a text that names the key; the separator is in no name of a caller. */
function nameOf({ caller, key }: KeyClaim): string {
  return `${caller}\u001f${key}`
}
