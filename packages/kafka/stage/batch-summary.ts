import type { InputOffset } from '../consumer-group/offset-entry.ts'
import type { FetchedRecord } from '../fetch/fetched-record.ts'
import { partitionKey } from '../types.ts'

export type RecordPosition = Pick<FetchedRecord, 'topic' | 'partition' | 'offset'>

/**
 * Summary of the records of a batch for its commit. The records themselves are released before the
 * commit begins.
 */
export class BatchSummary {
  /**
   * Position of the first record. A reference to the record would keep its whole batch in memory.
   */
  readonly first: RecordPosition
  #records = 0
  #bytes = 0
  readonly #offsets = new Map<string, InputOffset>()
  readonly #timestampsMs: Float64Array[] = []

  constructor(first: FetchedRecord) {
    const { topic, partition, offset } = first
    this.first = { topic, partition, offset }
  }

  get records(): number {
    return this.#records
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Next offset to read, by partition. */
  get offsets(): InputOffset[] {
    return [...this.#offsets.values()]
  }

  /** Timestamp of each record. */
  get timestampsMs(): Float64Array {
    const all = new Float64Array(this.#records)
    let at = 0
    for (const some of this.#timestampsMs) {
      all.set(some, at)
      at += some.length
    }
    return all
  }

  add(records: readonly FetchedRecord[]): void {
    const timestampsMs = new Float64Array(records.length)
    for (let index = 0; index < records.length; index++) {
      const record = records[index] as FetchedRecord
      const { topic, partition, topicID } = record
      timestampsMs[index] = record.timestampMs
      this.#bytes += record.bytes
      const next = records[index + 1]
      // Records of a partition are mostly adjacent; the last of them determines the offset.
      if (next?.partition === partition && next.topic === topic) continue
      const position = { offset: record.nextOffset, leaderEpoch: record.leaderEpoch }
      this.#offsets.set(partitionKey(record), { topic, partition, topicID, ...position })
    }
    this.#timestampsMs.push(timestampsMs)
    this.#records += records.length
  }
}
