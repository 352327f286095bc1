/** How much of what a broker returns is held in memory. Kafka limits batches only in their compressed form. */
export interface ReadLimits {
  /** A record with more bytes is not processed: it becomes a reduced dead letter. */
  readonly recordBytes: number
  /** A batch that has more bytes decompressed is not read: all of it becomes one dead letter. */
  readonly batchBytes: number
}

export const defaultReadLimits: ReadLimits = { recordBytes: 8 * 1024 * 1024, batchBytes: 32 * 1024 * 1024 }
