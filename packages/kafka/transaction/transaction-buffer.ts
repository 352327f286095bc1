import type { Cluster } from '../cluster/cluster.ts'
import { type Compression, compressBatch } from '../producer/compression.ts'
import { addToSequence, type BatchLimits, type PartitionBatch } from '../producer/produce.ts'
import { type BatchWriter, RecordBatchBuilder } from '../producer/record-batch.ts'
import { type OutputRecord, partitionOf } from '../records.ts'

/** State shared by the outboxes of one producer. */
interface TransactionBufferParts {
  readonly spareBuilders: RecordBatchBuilder[]
  readonly limits: BatchLimits
  readonly compressionOf: (topic: string) => Compression
}

/**
 * Maximum number of spare builders, so that a single large transaction does not hold its memory
 * forever.
 */
const mostSpareBuilders = 64

/**
 * Buffer of the records that one transaction will write. Each record is encoded when it is added,
 * and then released: thousands of records held until the last one is added would survive repeated
 * garbage collections. The builders are reused by later transactions, because allocating their
 * buffers also burdens the collector.
 */
export class TransactionBuffer {
  readonly #cluster: Cluster
  readonly #parts: TransactionBufferParts
  readonly #byTopic = new Map<string, PartitionBuffer[]>()

  constructor(cluster: Cluster, parts: TransactionBufferParts) {
    this.#cluster = cluster
    this.#parts = parts
  }

  get records(): number {
    return sumOfRecords(this.partitions())
  }

  /** Adds records. @throws KafkaError when the partition count of a topic is unknown */
  async add(records: readonly OutputRecord[]): Promise<void> {
    const nowMs = Date.now()
    for (const record of records) {
      // Awaited once per topic; a microtask per record would be measurable.
      const partitions = this.#byTopic.get(record.topic) ?? (await this.#open(record.topic))
      partitions[partitionOf(record, partitions.length)]?.add(record, nowMs)
    }
  }

  /** Returns the partitions that have records. */
  partitions(): PartitionBuffer[] {
    return [...this.#byTopic.values()].flat().filter(({ records }) => records > 0)
  }

  /** Returns the builders of written batches to the pool, for later transactions. */
  release(): void {
    const { spareBuilders } = this.#parts
    const builders = this.partitions().flatMap(partition => partition.release())
    spareBuilders.push(...builders.slice(0, Math.max(0, mostSpareBuilders - spareBuilders.length)))
  }

  async #open(topic: string): Promise<PartitionBuffer[]> {
    const { spareBuilders, limits, compressionOf } = this.#parts
    const options = {
      takeBuilder: () => spareBuilders.pop() ?? new RecordBatchBuilder(),
      maxBytes: limits.of(topic),
      compression: compressionOf(topic)
    }
    const places = await this.#cluster.partitions(topic)
    const partitions = places.map((_, partition) => new PartitionBuffer(topic, partition, options))
    this.#byTopic.set(topic, partitions)
    return partitions
  }
}

/** An encoded batch, with the data needed to divide it. */
export interface SealedBatch extends PartitionBatch {
  readonly writer: BatchWriter
  readonly records: number
  readonly compression: Compression
}

interface PartitionOptions {
  readonly takeBuilder: () => RecordBatchBuilder
  readonly maxBytes: number
  readonly compression: Compression
}

/** Records for one partition, in batches of a size that its topic accepts. */
export class PartitionBuffer {
  readonly topic: string
  readonly partition: number
  readonly #options: PartitionOptions
  readonly #batches: RecordBatchBuilder[] = []

  constructor(topic: string, partition: number, options: PartitionOptions) {
    this.topic = topic
    this.partition = partition
    this.#options = options
  }

  get records(): number {
    return sumOfRecords(this.#batches)
  }

  add(record: OutputRecord, nowMs: number): void {
    const { takeBuilder, maxBytes } = this.#options
    if (this.#batches.at(-1)?.add(record, nowMs, maxBytes) === true) return
    const batch = takeBuilder()
    this.#batches.push(batch)
    batch.add(record, nowMs)
  }

  /** Completes the batches, which are not compressed yet. */
  seal(writer: BatchWriter): SealedBatch[] {
    const { topic, partition } = this
    const { compression } = this.#options
    let { firstSequence } = writer
    return this.#batches.map(batch => {
      const own = { ...writer, firstSequence }
      const bytes = batch.seal(own)
      firstSequence = addToSequence(firstSequence, batch.records)
      return { topic, partition, bytes, writer: own, records: batch.records, compression }
    })
  }

  /** Clears the builders and returns them. */
  release(): RecordBatchBuilder[] {
    for (const batch of this.#batches) batch.clear()
    return this.#batches.splice(0)
  }
}

/** Compresses the batches of each queue that their topic wants compressed. */
export async function compressed(queues: SealedBatch[][]): Promise<SealedBatch[][]> {
  // All batches of a queue have the same topic.
  if (queues.every(([first]) => first?.compression === 'none')) return queues
  const compress = async (batch: SealedBatch) => ({
    ...batch,
    bytes: await compressBatch(batch.bytes, batch.compression)
  })
  return Promise.all(queues.map(queue => Promise.all(queue.map(compress))))
}

function sumOfRecords(parts: readonly { readonly records: number }[]): number {
  return parts.reduce((sum, { records }) => sum + records, 0)
}
