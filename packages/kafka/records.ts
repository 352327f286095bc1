/**
 * The shapes that cross this package's boundary.
 *
 * - **record**: one Kafka message. **batch**: the records a stage handles in one step.
 * - **topic**: a name together with the codec of its values, so that a topic's string appears once.
 * - **poison record**: one that can never be processed; it is parked in the dead-letter topic of its topic.
 */

/** Headers as text. Kafka allows any bytes; bytes that are not UTF-8 arrive with replacement characters. */
export interface RecordHeaders {
  /** The first of this name. */
  text(name: string): string | undefined
  has(name: string): boolean
  /** Compares the first of this name with these bytes. Costs less than `text`. */
  equals(name: string, content: Buffer): boolean
  /** All of them by name; of several with one name the last. */
  toObject(): Readonly<Record<string, string>>
}

/**
 * Reads a value in place: in `bytes`, from `start` (default 0) to before `end` (default: theirs). `headers` are those of its
 * record, as far as they are known; they may name its schema.
 */
export interface Codec<Event> {
  /** Headers that belong to a record whose value `encode` has made. */
  readonly headers?: Readonly<Record<string, string>>
  /** Whether `decode` has what it needs for this value. */
  isPrepared(bytes: Buffer, start?: number, end?: number, headers?: RecordHeaders): boolean
  /**
   * Loads what `decode` needs for these values (writer schemas). A rejection never concerns a single record: a retryable one
   * is tried again, any other ends the stage.
   */
  prepare(values: readonly Buffer[], headers?: readonly (RecordHeaders | undefined)[]): Promise<void>
  /** @throws anything: the record is poison. */
  decode(bytes: Buffer, start?: number, end?: number, headers?: RecordHeaders): Event
  encode(event: Event): Buffer
}

export interface Topic<Event> {
  readonly name: string
  readonly eventType: string
  readonly codec: Codec<Event>
}

/** One header of a record. Names may repeat, and content may be null. */
export type HeaderField = readonly [name: string | Buffer, content: string | Buffer | null]

/** Text is written as UTF-8. Bytes are written unchanged, so that a record can be copied without being decoded. */
export interface OutputRecord {
  readonly topic: string
  /** A record without a key goes to the partitions in turn. */
  readonly key: string | Buffer | null
  readonly value: Buffer | null
  /** By name; as fields where names repeat, content is null, or the order matters. */
  readonly headers: Readonly<Record<string, string | Buffer>> | readonly HeaderField[]
  /** Milliseconds since the epoch; the time of sending when absent. */
  readonly timestampMs?: number
  /** The one that its key chooses, unless a record has to go where it once stood. */
  readonly partition?: number
}

/** Of a class, for the compiler to know that a copy made by spreading a record has its event and nothing else: the rest is made when it is asked for. */
export declare abstract class StageRecord<Event> {
  get topic(): string
  get partition(): number
  get offset(): bigint
  /** Id of the topic that it was read from: offsets of a topic that was created again begin at 0 again. */
  get topicID(): string | undefined
  get timestampMs(): number
  get key(): string
  get headers(): RecordHeaders
  readonly event: Event
}

/** The part of pino that this package needs. */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}
