import type { KafkaError } from '../errors.ts'
import type { Codec } from '../records.ts'
import type { FetchedHeaders } from './fetched-headers.ts'

/** Summary of records that cannot be read. */
export interface UnreadRecords {
  readonly lastOffset: bigint
  readonly count: number
  /** Bytes of the whole batch, as it is in the log. */
  readonly bytes: number
  /** Checksum of the batch in hexadecimal, without the fields that the broker may change (offset, leader epoch). */
  readonly sha256: string
}

/** Declared as a class, so that the compiler knows what a copy made by spreading a record lacks. */
export declare abstract class FetchedRecord {
  get topic(): string
  get partition(): number
  get offset(): bigint
  /** Leader epoch of the batch that holds the record; -1 when it is unknown. */
  get leaderEpoch(): number
  /** Topic that it was fetched from; undefined when it is unknown. */
  get topicID(): string | undefined
  /** The position at which reading continues behind it. */
  get nextOffset(): bigint
  readonly timestampMs: number
  /** The size of the record in its batch. */
  get bytes(): number
  /** Why the record cannot be processed, whatever is in it. */
  get defect(): KafkaError | undefined
  /** Set when this stands for records that cannot be read. */
  get unread(): UnreadRecords | undefined
  get hasKey(): boolean
  get key(): Buffer | null
  get hasValue(): boolean
  get value(): Buffer | null
  /** Returns whether the codec has what it needs for the value. */
  isPreparedFor(codec: Codec<unknown>): boolean
  /** @throws anything: the value cannot be read */
  decode<Event>(codec: Codec<Event>): Event
  readonly headers: FetchedHeaders
}
