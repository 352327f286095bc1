/**
 * Records: the public types of this package, and functions on the records to write.
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
  /** Returns true if a header has this name. */
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
  /** Encodes an event. @throws KafkaError `UNWRITABLE` for an event that cannot be encoded */
  encode(event: Event): Buffer
}

/** A topic with the codec of its values. `eventType` names its events in logs and dead letters. */
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
  /** Logs details for the development of a program. */
  debug(fields: object, message: string): void
  /** Logs normal events, such as an assignment of partitions. */
  info(fields: object, message: string): void
  /** Logs events that need attention if they persist, such as a retry. `fields` has an `event`. */
  warn(fields: object, message: string): void
  /** Logs events that need attention, such as a dead letter. `fields` has an `event`. */
  error(fields: object, message: string): void
}

/**
 * Returns true if headers are a list of fields, which may repeat names, and false if they are an
 * object.
 */
export function areFields(headers: OutputRecord['headers']): headers is readonly HeaderField[] {
  return Array.isArray(headers)
}

/** Returns the text of the first header with this name of an output record. */
export function outputHeader({ headers }: OutputRecord, name: string): string | undefined {
  const content = areFields(headers)
    ? headers.find(([candidate]) => String(candidate) === name)?.[1]
    : (headers[name] ?? null)
  return content === null || content === undefined ? undefined : String(content)
}

/**
 * Returns the record with this header set: in place if the record has a header with this name,
 * otherwise after the others.
 */
export function withHeader(record: OutputRecord, name: string, text: string): OutputRecord {
  const { headers } = record
  if (!areFields(headers)) return { ...record, headers: { ...headers, [name]: text } }
  const at = headers.findIndex(([candidate]) => String(candidate) === name)
  const field: HeaderField = [name, text]
  return { ...record, headers: at < 0 ? [...headers, field] : headers.with(at, field) }
}

/**
 * Reads the headers of a dead letter or an output record through the interface for fetched records.
 */
export function recordHeaders(headers: OutputRecord['headers']): RecordHeaders {
  const fields = areFields(headers) ? headers : Object.entries(headers)
  const contents = new Map<string, Buffer>()
  for (const [name, content] of fields) {
    if (!contents.has(name.toString()) && content !== null) contents.set(name.toString(), Buffer.from(content))
  }
  return {
    text: name => contents.get(name)?.toString(),
    has: name => contents.has(name),
    equals: (name, content) => contents.get(name)?.equals(content) === true,
    toObject: () => Object.fromEntries([...contents].map(([name, content]) => [name, content.toString()]))
  }
}

/**
 * Maximum number of cached header names. Programs use few; names made up by others must not fill
 * the memory, so they are encoded each time.
 */
const mostKept = 256
const encoded = new Map<string, Buffer>()

/** Returns a header name in UTF-8. */
export function encodedName(name: string): Buffer {
  let bytes = encoded.get(name)
  if (bytes === undefined) {
    bytes = Buffer.from(name)
    if (encoded.size < mostKept) encoded.set(name, bytes)
  }
  return bytes
}

/** Estimates the bytes of an encoded record; the exact number costs as much as encoding it. */
export function approximateBytes({ key, value, headers }: OutputRecord): number {
  let bytes = (value?.length ?? 0) + (key?.length ?? 0) + 32
  if (areFields(headers)) for (const [name, content] of headers) bytes += name.length + (content?.length ?? 0) + 4
  else for (const name in headers) bytes += name.length + (headers[name] as string | Buffer).length + 4
  return bytes
}

/** Turn of the next record that has neither a partition nor a key. */
let turn = 0

/** Returns the partition of a record: its own, the one chosen by its key, or the next in turn. */
export function partitionOf(
  { key, partition }: Pick<OutputRecord, 'key' | 'partition'>,
  partitionCount: number
): number {
  return partition ?? (key === null ? turn++ % partitionCount : choosePartition(key, partitionCount))
}

/**
 * Returns the partition that the Java client would choose for a key (murmur2, made positive), so
 * that producers in all languages agree.
 */
export function choosePartition(key: string | Buffer, partitionCount: number): number {
  return (hashOf(key) & 0x7fffffff) % partitionCount
}

/** Buffer for encoding usual keys; allocating one for each key would cost more than its hash. */
const scratch = Buffer.allocUnsafeSlow(512)

function hashOf(key: string | Buffer): number {
  if (typeof key !== 'string') return murmur2(key)
  // A UTF-16 code unit takes at most three bytes.
  return key.length * 3 > scratch.length ? murmur2(Buffer.from(key)) : murmur2(scratch, scratch.write(key))
}

const multiplier = 0x5bd1e995

/** Computes the hash of `org.apache.kafka.common.utils.Utils.murmur2`, in 32-bit arithmetic. */
export function murmur2(data: Buffer, length = data.length): number {
  let hash = 0x9747b28c ^ length
  const whole = length - (length % 4)
  for (let index = 0; index < whole; index += 4) {
    let part = Math.imul(data.readInt32LE(index), multiplier)
    part = Math.imul(part ^ (part >>> 24), multiplier)
    hash = Math.imul(hash, multiplier) ^ part
  }
  if (length > whole) {
    for (let index = length - 1; index >= whole; index--) hash ^= (data[index] as number) << ((index - whole) * 8)
    hash = Math.imul(hash, multiplier)
  }
  hash = Math.imul(hash ^ (hash >>> 13), multiplier)
  return hash ^ (hash >>> 15)
}
