import type { Cluster } from '../cluster/cluster.ts'
import { partitionOf } from '../producer/partitioner.ts'
import { addToSequence, maxBatchBytes, type PartitionBatch } from '../producer/produce.ts'
import { type BatchWriter, RecordBatchBuilder } from '../producer/record-batch.ts'
import type { OutputRecord } from '../records.ts'

/**
 * What one transaction will write. Each record is encoded as it comes and then let go: thousands of them, held until the last one is
 * there, would survive one collection of garbage after the other. The builders are used again for later transactions, for a buffer of
 * that size weighs on the collector as well.
 */
export class Outbox {
  readonly #cluster: Cluster
  readonly #spareBuilders: RecordBatchBuilder[]
  readonly #byTopic = new Map<string, PartitionOutbox[]>()

  constructor(cluster: Cluster, spareBuilders: RecordBatchBuilder[]) {
    this.#cluster = cluster
    this.#spareBuilders = spareBuilders
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

  /** Once all is written: nobody reads what was sealed any more. */
  release(): void {
    for (const partition of this.partitions()) this.#spareBuilders.push(...partition.release())
  }

  async #open(topic: string): Promise<PartitionOutbox[]> {
    const takeBuilder = () => this.#spareBuilders.pop() ?? new RecordBatchBuilder()
    const places = await this.#cluster.partitions(topic)
    const partitions = places.map((_, partition) => new PartitionOutbox(topic, partition, takeBuilder))
    this.#byTopic.set(topic, partitions)
    return partitions
  }
}

/** In batches that a broker takes at once. */
export class PartitionOutbox {
  readonly topic: string
  readonly partition: number
  readonly #takeBuilder: () => RecordBatchBuilder
  readonly #batches: RecordBatchBuilder[] = []

  constructor(topic: string, partition: number, takeBuilder: () => RecordBatchBuilder) {
    this.topic = topic
    this.partition = partition
    this.#takeBuilder = takeBuilder
  }

  get records(): number {
    return sumOfRecords(this.#batches)
  }

  add(record: OutputRecord, nowMs: number): void {
    if (this.#batches.at(-1)?.add(record, nowMs, maxBatchBytes) === true) return
    const batch = this.#takeBuilder()
    this.#batches.push(batch)
    batch.add(record, nowMs)
  }

  seal(writer: BatchWriter): PartitionBatch[] {
    const { topic, partition } = this
    let { firstSequence } = writer
    return this.#batches.map(batch => {
      const bytes = batch.seal({ ...writer, firstSequence })
      firstSequence = addToSequence(firstSequence, batch.records)
      return { topic, partition, bytes }
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
