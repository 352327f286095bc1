/**
 * The public types of this package.
 *
 * - **record**: one Kafka message. **batch**: the records that a stage processes and commits
 *   together.
 * - **topic**: a name with the codec of its values, so that the name of a topic occurs only once.
 * - **poison record**: a record that can never be processed; it is written to the dead-letter topic
 *   of its topic.
 */

/**
 * Headers as text. Kafka allows any bytes; invalid UTF-8 is decoded with replacement characters.
 */
export interface RecordHeaders {
  /** Returns the text of the first header with this name. */
  text(name: string): string | undefined
  has(name: string): boolean
  /** Compares the first header with this name with these bytes. Cheaper than `text`. */
  equals(name: string, content: Buffer): boolean
  /** Returns all headers by name; the last of several with the same name. */
  toObject(): Readonly<Record<string, string>>
}

/**
 * Codec of values. It reads a value in place: in `bytes`, from `start` (default 0) to before `end`
 * (default: their end). `headers` are those of the record, as far as known; they may name its
 * schema.
 */
export interface Codec<Event> {
  /** Headers for a record whose value was made by `encode`. */
  readonly headers?: Readonly<Record<string, string>>
  /** Returns true if `decode` has everything it needs for this value. */
  isPrepared(bytes: Buffer, start?: number, end?: number, headers?: RecordHeaders): boolean
  /**
   * Loads what `decode` needs for these values (writer schemas). A rejection never concerns a
   * single record: a retryable one is retried, any other ends the stage.
   */
  prepare(values: readonly Buffer[], headers?: readonly (RecordHeaders | undefined)[]): Promise<void>
  /** Decodes a value. @throws any error if the record is poison */
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

/**
 * A record to write. Text is written as UTF-8. Bytes are written unchanged, so that a record can be
 * copied without decoding it.
 */
export interface OutputRecord {
  readonly topic: string
  /** Key; records without one are distributed over the partitions in turn. */
  readonly key: string | Buffer | null
  readonly value: Buffer | null
  /** Headers by name, or as fields if names repeat, a content is null, or the order matters. */
  readonly headers: Readonly<Record<string, string | Buffer>> | readonly HeaderField[]
  /** Milliseconds since the epoch; defaults to the time of sending. */
  readonly timestampMs?: number
  /**
   * Partition; by default the one chosen by the key. Set for replays, which return a record to its
   * original partition.
   */
  readonly partition?: number
}

/**
 * A decoded record. Declared as a class, so that the compiler knows that a spread copy has only the
 * event; the other properties are computed on access.
 */
export declare abstract class StageRecord<Event> {
  get topic(): string
  get partition(): number
  get offset(): bigint
  /**
   * Id of the topic that the record was read from; offsets of a recreated topic start at 0 again.
   */
  get topicID(): string | undefined
  get timestampMs(): number
  get key(): string
  get headers(): RecordHeaders
  readonly event: Event
}

/** The subset of pino that this package needs. */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}
