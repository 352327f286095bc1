import { checkFunction, checkPositiveIntegers, invalidOption } from '../options.ts'
import type { Codec } from '../records.ts'
import { UnreadableError, unwritable } from './unreadable-error.ts'

/**
 * The part of a type of the package `avsc` (`Type.forSchema(schema)`) that a codec uses. This
 * package does not import avsc: a program that uses Avro installs it and passes types.
 */
export interface AvroType<Event = unknown> {
  /** Decodes a value, with a resolver if another type wrote it. */
  fromBuffer(bytes: Buffer, resolver?: unknown): Event
  /** Encodes an event. */
  toBuffer(event: Event): Buffer
  /** Returns what converts values of the writer's type to this type. @throws if that is impossible */
  createResolver(writerType: AvroType): unknown
}

/** Options of `avroCodec`. */
export interface AvroCodecOptions<Event> {
  /** Type of the events, as this program reads and writes them. */
  readonly type: AvroType<Event>
  /**
   * Returns the type with which a value was written, for the schema id in front of it; undefined if
   * the registry does not have that id, which makes the record unreadable. Its result is kept. A
   * rejection is retried if the stage's `isTransient` says so, and ends the stage otherwise.
   */
  readonly loadType: (schemaID: number) => Promise<AvroType | undefined>
  /** Id of the schema of `type` in the registry. Without it, the codec can only read. */
  readonly schemaID?: number
}

/** Bytes in front of a value: a zero byte and the schema id as a big-endian int32. */
const headerBytes = 5

/**
 * Creates a codec of Avro values in the wire format of schema registries (Confluent, Karapace,
 * Apicurio). Values of any writer whose schema can be resolved to `type` are read.
 *
 * ```ts
 * const type = Type.forSchema(schema) // of the package avsc
 * const loadType = async (id: number) => {
 *   const answer = await fetch(`${registryURL}/schemas/ids/${id}`)
 *   return answer.status === 404 ? undefined : Type.forSchema(JSON.parse((await answer.json()).schema))
 * }
 * const codec = avroCodec<Order>({ type, loadType, schemaID: 1 })
 * ```
 */
export function avroCodec<Event>({ type, loadType, schemaID }: AvroCodecOptions<Event>): Codec<Event> {
  for (const method of ['fromBuffer', 'toBuffer', 'createResolver'] as const) {
    if (typeof (type as Partial<AvroType> | undefined)?.[method] !== 'function')
      throw invalidOption('type', 'a type of the package avsc', type)
  }
  checkFunction('loadType', loadType)
  checkPositiveIntegers({ schemaID })
  const readers = new Map<number, (bytes: Buffer) => Event>()

  const load = async (id: number) => {
    const writerType = await loadType(id)
    if (writerType !== undefined) readers.set(id, readerOf(type, writerType))
  }

  return {
    isPrepared(bytes, start = 0, end = bytes.length) {
      const id = schemaIDAt(bytes, start, end)
      return id === undefined || readers.has(id)
    },

    async prepare(values) {
      const ids = new Set(values.map(value => schemaIDAt(value, 0, value.length)))
      await Promise.all([...ids].map(id => (id === undefined || readers.has(id) ? undefined : load(id))))
    },

    decode(bytes, start = 0, end = bytes.length) {
      const id = schemaIDAt(bytes, start, end)
      if (id === undefined) throw new UnreadableError('the value does not begin with the id of an Avro schema')
      const read = readers.get(id)
      if (read === undefined) throw new UnreadableError(`the registry has no schema with the id ${id}`)
      return read(bytes.subarray(start + headerBytes, end))
    },

    encode(event) {
      if (schemaID === undefined) throw unwritable('the codec can only read: set schemaID to write')
      const header = Buffer.alloc(headerBytes)
      header.writeInt32BE(schemaID, 1)
      return Buffer.concat([header, body(type, event)])
    }
  }
}

/** Returns a function that reads values of a writer's type; it fails if the types are incompatible. */
function readerOf<Event>(type: AvroType<Event>, writerType: AvroType): (bytes: Buffer) => Event {
  let resolver: unknown
  try {
    resolver = type.createResolver(writerType)
  } catch (error) {
    return () => {
      throw new UnreadableError(`the schema of the value is incompatible: ${messageOf(error)}`, error)
    }
  }
  return bytes => {
    try {
      return type.fromBuffer(bytes, resolver)
    } catch (error) {
      throw new UnreadableError(`the value is not valid Avro: ${messageOf(error)}`, error)
    }
  }
}

function body<Event>(type: AvroType<Event>, event: Event): Buffer {
  try {
    return type.toBuffer(event)
  } catch (error) {
    throw unwritable('the event does not match its Avro schema', error)
  }
}

function schemaIDAt(bytes: Buffer, start: number, end: number): number | undefined {
  return end - start < headerBytes || bytes[start] !== 0 ? undefined : bytes.readInt32BE(start + 1)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
