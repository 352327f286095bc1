import type { Cluster } from '../cluster/cluster.ts'
import type { BatchLimits } from '../producer/batch-limits.ts'
import { partitionOf } from '../producer/partitioner.ts'
import { addToSequence, type PartitionBatch } from '../producer/produce.ts'
import { type BatchWriter, compressBatch, RecordBatchBuilder } from '../producer/record-batch.ts'
import type { OutputRecord } from '../records.ts'

/** The parts that the outboxes of one producer share. */
interface OutboxParts {
  readonly spareBuilders: RecordBatchBuilder[]
  readonly limits: BatchLimits
  readonly compresses: (topic: string) => boolean
}

/** More are not kept: a single large transaction must not hold its memory for ever. */
const mostSpareBuilders = 64

/**
 * What one transaction will write. Each record is encoded as it comes and then let go: thousands of them, held until the last one is
 * there, would survive one collection of garbage after the other. The builders are used again for later transactions, for a buffer of
 * that size weighs on the collector as well.
 */
export class Outbox {
  readonly #cluster: Cluster
  readonly #parts: OutboxParts
  readonly #byTopic = new Map<string, PartitionOutbox[]>()

  constructor(cluster: Cluster, parts: OutboxParts) {
    this.#cluster = cluster
    this.#parts = parts
  }

  get records(): number {
    return sumOfRecords(this.partitions())
  }

  /** @throws KafkaError when it cannot be found out how many partitions a topic has */
  async add(records: readonly OutputRecord[]): Promise<void> {
    const nowMs = Date.now()
    for (const record of records) {
      // Awaited once for each topic: a turn of the microtask queue for each record is felt.
      const partitions = this.#byTopic.get(record.topic) ?? (await this.#open(record.topic))
      partitions[partitionOf(record, partitions.length)]?.add(record, nowMs)
    }
  }

  /** Those to which something is to be written. */
  partitions(): PartitionOutbox[] {
    return [...this.#byTopic.values()].flat().filter(({ records }) => records > 0)
  }

  /** Returns the builders of batches that are written, for later transactions. */
  release(): void {
    const { spareBuilders } = this.#parts
    const builders = this.partitions().flatMap(partition => partition.release())
    spareBuilders.push(...builders.slice(0, Math.max(0, mostSpareBuilders - spareBuilders.length)))
  }

  async #open(topic: string): Promise<PartitionOutbox[]> {
    const { spareBuilders, limits, compresses } = this.#parts
    const options = {
      takeBuilder: () => spareBuilders.pop() ?? new RecordBatchBuilder(),
      maxBytes: limits.of(topic),
      isCompressed: compresses(topic)
    }
    const places = await this.#cluster.partitions(topic)
    const partitions = places.map((_, partition) => new PartitionOutbox(topic, partition, options))
    this.#byTopic.set(topic, partitions)
    return partitions
  }
}

/** A batch, and what is needed to divide it. */
export interface SealedBatch extends PartitionBatch {
  readonly writer: BatchWriter
  readonly records: number
  readonly isCompressed: boolean
}

interface PartitionOptions {
  readonly takeBuilder: () => RecordBatchBuilder
  readonly maxBytes: number
  readonly isCompressed: boolean
}

/** Records for one partition, in batches that its topic accepts. */
export class PartitionOutbox {
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

  seal(writer: BatchWriter): SealedBatch[] {
    const { topic, partition } = this
    const { isCompressed } = this.#options
    let { firstSequence } = writer
    return this.#batches.map(batch => {
      const own = { ...writer, firstSequence }
      const sealed = batch.seal(own)
      const bytes = isCompressed ? compressBatch(sealed) : sealed
      firstSequence = addToSequence(firstSequence, batch.records)
      return { topic, partition, bytes, writer: own, records: batch.records, isCompressed }
    })
  }

  /** @returns its builders, empty */
  release(): RecordBatchBuilder[] {
    for (const batch of this.#batches) batch.clear()
    return this.#batches.splice(0)
  }
}

function sumOfRecords(parts: readonly { readonly records: number }[]): number {
  return parts.reduce((sum, { records }) => sum + records, 0)
}
