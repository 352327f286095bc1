import type { KafkaError } from '../errors.ts'
import type { Codec } from '../records.ts'
import type { FetchedHeaders } from './fetched-headers.ts'

/** Summary of records that cannot be read. */
export interface UnreadRecords {
  readonly lastOffset: bigint
  readonly count: number
  /** Size of the whole batch in the log. */
  readonly bytes: number
  /** Checksum of the batch in hexadecimal, without the fields that the broker may change (offset, leader epoch). */
  readonly sha256: string
}

/**
 * A fetched record. Declared as a class, so that the compiler knows which properties a spread copy
 * lacks.
 */
export declare abstract class FetchedRecord {
  get topic(): string
  get partition(): number
  get offset(): bigint
  /** Leader epoch of the batch that holds the record; -1 when it is unknown. */
  get leaderEpoch(): number
  /** Id of the topic that the record was fetched from; undefined when it is unknown. */
  get topicID(): string | undefined
  /** Offset at which reading continues after this record. */
  get nextOffset(): bigint
  readonly timestampMs: number
  /** Size of the record in its batch. */
  get bytes(): number
  /** Reason why the record cannot be processed, regardless of its content. */
  get defect(): KafkaError | undefined
  /** Set when this record represents records that cannot be read. */
  get unread(): UnreadRecords | undefined
  get hasKey(): boolean
  get key(): Buffer | null
  get hasValue(): boolean
  get value(): Buffer | null
  /** Returns true if the codec has everything it needs to decode the value. */
  isPreparedFor(codec: Codec<unknown>): boolean
  /** Decodes the value. @throws any error of the codec if the value is invalid */
  decode<Event>(codec: Codec<Event>): Event
  readonly headers: FetchedHeaders
}
