import { inGroups } from '@orderly/batching'
import { retry } from '@orderly/retry'
import { type Connection, createAPI, initProducerIdV5, produceV11, Writer } from '@platformatic/kafka'
import type { Cluster } from '../cluster/cluster.ts'
import { request } from '../cluster/requests.ts'
import { checkCode, KafkaError } from '../errors.ts'
import { partitionKey } from '../types.ts'

/**
 * Identity of a producer. Brokers drop batches that it already wrote under the same sequence number
 * (KIP-98).
 */
export interface ProducerIdentity {
  readonly producerID: bigint
  readonly epoch: number
}

/**
 * Encoded record batch for one partition (record-batch.ts). A retry sends exactly the same bytes.
 */
export interface PartitionBatch {
  readonly topic: string
  readonly partition: number
  readonly bytes: Buffer
}

/**
 * Maximum size of a batch, checked here: a broker closes the connection on a request above
 * `socket.request.max.bytes` (100 MiB by default), which looks like an unavailable broker.
 */
const maxRequestBytes = 64 * 1024 * 1024
const messageTooLarge = 10

/** Requests a new producer id. */
export async function requestIdentity(cluster: Cluster): Promise<ProducerIdentity> {
  const response = await cluster.askAny(initProducerIdV5.api, null, 0, -1n, -1)
  checkCode(response.errorCode, 'requesting a producer id')
  return { producerID: response.producerId, epoch: response.producerEpoch }
}

/** Adds to a sequence number. Sequence numbers wrap from 2^31 - 1 to 0. */
export function addToSequence(sequence: number, count: number): number {
  return (sequence + count) % 2 ** 31
}

/**
 * Errors that a broker returns before it appends anything (`ReplicaManager.appendRecords`,
 * `LogValidator`). After any other error code, and after a missing response, it is unknown whether
 * the batch was appended: `NOT_LEADER_OR_FOLLOWER` and `UNKNOWN_SERVER_ERROR`, for instance, can
 * follow an append.
 */
const refusalsBeforeAppend = new Set([
  'CLUSTER_AUTHORIZATION_FAILED',
  'INVALID_RECORD',
  'INVALID_REQUIRED_ACKS',
  'INVALID_TIMESTAMP',
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
  'TOPIC_AUTHORIZATION_FAILED',
  'UNSUPPORTED_COMPRESSION_TYPE'
])

/** Returns true if a broker that responded with this error certainly did not append the batch. */
export function certainlyNotAppended({ code }: KafkaError): boolean {
  return refusalsBeforeAppend.has(code)
}

/**
 * Error codes that reject the records themselves: the broker appended nothing, and would reject the
 * same records again.
 */
export const recordRefusals: ReadonlySet<string> = new Set([
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
  'INVALID_RECORD',
  'INVALID_TIMESTAMP'
])

const sizeRefusals: ReadonlySet<string> = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE'])

/** Initial limit; a broker accepts 1 MiB by default (`message.max.bytes`). */
const defaultBytes = 900_000
const leastBytes = 1_024
/**
 * Time after which a lowered limit expires, because an operator may have raised the topic's limit.
 */
const rememberedMs = 600_000

/**
 * Maximum batch size of each topic. It starts at 900 kB and is halved whenever the topic rejects a
 * batch for its size (`max.message.bytes`, `segment.bytes`). Later batches then fit immediately.
 */
export class BatchLimits {
  readonly #lowered = new Map<string, { readonly bytes: number; readonly untilMs: number }>()

  of(topic: string): number {
    const lowered = this.#lowered.size === 0 ? undefined : this.#lowered.get(topic)
    if (lowered === undefined) return defaultBytes
    if (lowered.untilMs > performance.now()) return lowered.bytes
    this.#lowered.delete(topic)
    return defaultBytes
  }

  /** Lowers the limit after a rejected batch. Codes that do not concern the size have no effect. */
  refused(topic: string, bytes: number, code: string): void {
    if (!sizeRefusals.has(code)) return
    const half = Math.max(leastBytes, Math.floor(bytes / 2))
    this.#lowered.set(topic, { bytes: Math.min(half, this.of(topic)), untilMs: performance.now() + rememberedMs })
  }
}

interface ProduceOptions {
  readonly timeoutMs: number
  readonly transactionalID?: string | null
  /** Lets partitions outside the transaction join it (transaction/transaction-v2.ts). */
  readonly joinsTransaction?: boolean
}

/**
 * Writes one batch per partition, all led by the broker of this connection, acknowledged by all
 * in-sync replicas.
 *
 * @returns the broker's error code for each partition, by `partitionKey`; 0 if the batch was
 * written
 */
export async function produce(
  connection: Connection,
  batches: readonly PartitionBatch[],
  { timeoutMs, transactionalID = null, joinsTransaction = false }: ProduceOptions
): Promise<ReadonlyMap<string, number>> {
  const codes = new Map<string, number>()
  const sent = batches.filter(({ topic, partition, bytes }) => {
    const isSent = bytes.length <= maxRequestBytes
    if (!isSent) codes.set(partitionKey({ topic, partition }), messageTooLarge)
    return isSent
  })
  if (sent.length === 0) return codes
  const api = joinsTransaction ? produceEncodedV12 : produceEncodedV11
  const response = await request(connection, api, transactionalID, timeoutMs, sent)
  for (const { name, partitionResponses } of response.responses) {
    for (const { index, errorCode } of partitionResponses)
      codes.set(partitionKey({ topic: name, partition: index }), errorCode)
  }
  return codes
}

const allInSyncReplicas = -1
const produceEncodedV11 = produceEncoded(11)
const produceEncodedV12 = produceEncoded(12)

/**
 * Creates the Produce API for encoded batches, acknowledged by all in-sync replicas. The versions
 * differ only in what the broker does.
 */
function produceEncoded(version: 11 | 12) {
  return createAPI<
    [transactionalID: string | null, timeoutMs: number, batches: readonly PartitionBatch[]],
    ReturnType<typeof produceV11.parseResponse>
  >(produceV11.api.key, version, createProduceRequest, produceV11.parseResponse)
}

function createProduceRequest(
  transactionalID: string | null,
  timeoutMs: number,
  batches: readonly PartitionBatch[]
): Writer {
  return Writer.create()
    .appendString(transactionalID)
    .appendInt16(allInSyncReplicas)
    .appendInt32(timeoutMs)
    .appendArray([...Map.groupBy(batches, ({ topic }) => topic)], (writer, [topic, own]) => {
      writer.appendString(topic).appendArray(own, (writer, { partition, bytes }) => {
        writer
          .appendInt32(partition)
          .appendUnsignedVarInt(bytes.length + 1)
          .append(bytes)
      })
    })
    .appendTaggedFields()
}

/**
 * A batch to be written. `encode` is called when the request is sent, so that the batch contains
 * all records that have arrived by then. It returns undefined if the batch has become obsolete, and
 * a promise if it compresses the batch.
 */
export interface PendingBatch {
  readonly topic: string
  readonly partition: number
  readonly encode: () => Buffer | undefined | Promise<Buffer>
}

/**
 * Maximum number of batches of at most `maxBatchBytes` in a request; a broker accepts 100 MiB by
 * default (`socket.request.max.bytes`).
 */
const maxBatchesInRequest = 64
/**
 * Minimum time between requests. Under concurrent load, requests sent immediately after the
 * previous response carry only a handful of records. With this pause `POST /orders` uses a fifth
 * less CPU time here and a sixth less in the broker, and responds sooner on two busy cores. A
 * single writer never waits. (Kafka's own client lingers 5 ms, KIP-1030.)
 */
const minIntervalMs = 2
const duplicateSequenceNumber = 46

/**
 * Returns a function that writes a batch through a connection. Each connection has one request in
 * flight, with at most one batch per partition, from any producer id. A request costs a broker as
 * much as dozens of records, and the broker answers the requests of a connection one after another.
 * A second concurrent request would only wait there, with fewer records than if it had waited here.
 *
 * The function returns the broker's error code for the batch; 0 if it was written, including by an
 * earlier attempt whose response was lost. It throws a KafkaError without a response.
 */
export function createBatchWriter(timeoutMs: number): (connection: Connection, batch: PendingBatch) => Promise<number> {
  const writers = new WeakMap<Connection, (batch: PendingBatch) => Promise<number>>()

  function openWriter(connection: Connection): (batch: PendingBatch) => Promise<number> {
    const options = { nameOf: partitionKey, maxItems: maxBatchesInRequest, minIntervalMs }
    const writer = inGroups<PendingBatch, number>(async pending => {
      const encoded = await Promise.all(pending.map(({ encode }) => encode()))
      const batches = pending.flatMap(({ topic, partition }, index) => {
        const bytes = encoded[index]
        return bytes === undefined ? [] : { topic, partition, bytes }
      })
      const codes = batches.length === 0 ? undefined : await produce(connection, batches, { timeoutMs })
      return pending.map(batch => {
        const code = codes?.get(partitionKey(batch)) ?? 0
        return code === duplicateSequenceNumber ? 0 : code
      })
    }, options)
    writers.set(connection, writer)
    return writer
  }

  return (connection, batch) => (writers.get(connection) ?? openWriter(connection))(batch)
}

const retryDelayMs = 50

/**
 * Retries until the attempt succeeds, fails permanently, or is over. Rejects with the last error.
 */
export function retryUntil<Result>(
  isOver: () => boolean,
  attempt: () => Promise<Result>,
  beforeRetry = () => {}
): Promise<Result> {
  return retry(attempt, {
    initialMs: retryDelayMs,
    jitter: 0,
    isTransient: error => error instanceof KafkaError && error.retryable && !isOver(),
    onRetry: beforeRetry
  })
}
