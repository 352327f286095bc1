/** The records that committed readers returned during a run. */

/** One reader, which reads all topics from their beginning until after the end of the load. */
export interface ReaderRun {
  /** `orderly-1`, `orderly-2` or `java-1`. */
  readonly reader: string
  /** In the order in which the reader returned them. */
  readonly polls: readonly Poll[]
  /** Reason why the reader ended early. */
  readonly failure?: string
}

/** The records of one partition that one poll returned, in their order. */
export interface Poll {
  /** Time after the poll; 0 if it is unknown. */
  readonly atMs: number
  readonly topic: string
  readonly partition: number
  readonly records: readonly ReadRecord[]
}

/** `digest` is computed as `valueDigest` of the log, and undefined if it is unknown. */
export type ReadRecord = readonly [offset: number, digest?: string | null, eventID?: string]
