/** Limits of fetched data held in memory. Kafka limits batches only in their compressed form. */
export interface ReadLimits {
  /** Maximum size of a record; a larger one becomes a reduced dead letter. */
  readonly recordBytes: number
  /** Maximum decompressed size of a batch; a larger one is not read and becomes one dead letter. */
  readonly batchBytes: number
}

export const defaultReadLimits: ReadLimits = { recordBytes: 8 * 1024 * 1024, batchBytes: 32 * 1024 * 1024 }
