import type { Codec } from '@orderly/kafka'
import type { Type } from 'avsc'
import { ContractError } from '../errors.ts'
import type { SchemaRegistry } from '../registry/registry.ts'
import type { RecordSchema } from '../schema.ts'
import { fingerprintHeader, fingerprintOf } from './fingerprint.ts'
import { SchemaReaders } from './schema-readers.ts'
import { parseAvroType, parsePlainAvroType } from './types.ts'

export interface AvroCodecOptions {
  readonly registry: Pick<SchemaRegistry, 'schemaByID' | 'versions'>
  readonly readerSchema: RecordSchema
  /** Schemas that are read without the registry; only `readerSchema` by default. */
  readonly released?: readonly RecordSchema[]
  /**
   * Subject of the topic in the registry, searched for schemas that are not found under the id of
   * the record.
   */
  readonly subject?: string
  /** Schema for writing. Without it, the codec can only read. */
  readonly writer?: WriterOptions
  /** Time after which an id is looked up again, for records that do not name their schema. */
  readonly recheckMs?: number
}

export interface WriterOptions {
  readonly schema: RecordSchema
  /** Id of the schema in the registry. */
  readonly schemaID: number
}

/**
 * Shared buffer in which events are encoded before they are copied at their exact size. Larger
 * events get a separate buffer.
 */
const scratch = Buffer.allocUnsafeSlow(32 * 1024)

/**
 * Creates a codec that reads records of any compatible schema (see SchemaReaders) and writes with
 * one schema. For invalid records and events, `decode` and `encode` throw ContractError.
 */
export function createAvroCodec<Event>(options: AvroCodecOptions): Codec<Event> {
  const { registry, readerSchema, released = [readerSchema], subject, writer, recheckMs } = options
  const readerType = parsePlainAvroType(readerSchema)
  const readers = new SchemaReaders<Event>({ readerType, registry, released, subject, recheckMs })

  return {
    ...(writer && { headers: { [fingerprintHeader]: fingerprintOf(parseAvroType(writer.schema)) } }),

    isPrepared(bytes, start = 0, end = bytes.length, headers) {
      const schemaID = schemaIDAt(bytes, start, end)
      return schemaID === undefined || readers.isLoaded(schemaID, headers)
    },

    async prepare(values, headers) {
      const loading = new Map<string | number, Promise<void>>()
      for (const [index, value] of values.entries()) {
        const schemaID = schemaIDAt(value, 0, value.length)
        if (schemaID === undefined) continue
        const own = headers?.[index]
        const key = own?.text(fingerprintHeader) ?? schemaID
        if (!loading.has(key)) loading.set(key, readers.load(schemaID, own))
      }
      await Promise.all(loading.values())
    },

    decode(bytes, start = 0, end = bytes.length, headers) {
      const schemaID = schemaIDAt(bytes, start, end)
      if (schemaID === undefined) throw notInWireFormat(bytes, start, end)
      const read = readers.find(schemaID, headers)
      if (read === undefined) {
        throw new ContractError('SCHEMA_UNKNOWN', `the schema with the id ${schemaID} has not been loaded`)
      }
      return read(bytes, start + HEADER_BYTES, end)
    },

    encode: writer === undefined ? refuseToWrite(readerType) : createWriter(writer)
  }
}

function createWriter({ schema, schemaID }: WriterOptions): (event: unknown) => Buffer {
  const writerType = parseAvroType(schema)
  return event => encode(writerType, schemaID, event)
}

function refuseToWrite(readerType: Type): () => never {
  return () => {
    throw new Error(`${readerType.name} is connected for reading only: use 'write' or a version in connectTopics`)
  }
}

function encode(writerType: Type, schemaID: number, event: unknown): Buffer {
  try {
    const end = writerType.encode(event, scratch, HEADER_BYTES)
    // A negative end is the number of bytes by which the buffer was too short.
    const value = Buffer.allocUnsafe(end < 0 ? scratch.length - end : end)
    if (end < 0) writerType.encode(event, value, HEADER_BYTES)
    else scratch.copy(value, HEADER_BYTES, HEADER_BYTES, end)
    writeHeader(value, schemaID)
    return value
  } catch (cause) {
    throw new ContractError('EVENT_INVALID', `not a valid ${writerType.name}: ${faultsOf(writerType, event)}`, {
      cause
    })
  }
}

/**
 * Lists the invalid fields and their expected types, without values, because events contain
 * personal data.
 */
function faultsOf(type: Type, event: unknown): string {
  const faults: string[] = []
  type.isValid(event, {
    errorHook: (path, _value, expected) => faults.push(`${path.join('.')} is not of type ${expected.typeName}`)
  })
  return faults.join(', ')
}

/**
 * Header size of the Confluent wire format: a zero byte and the schema id as a big-endian int32.
 * The Avro body follows.
 */
export const HEADER_BYTES = 5

/**
 * Returns the schema id of the value from `start` to before `end`, or undefined if it is not in
 * wire format.
 */
function schemaIDAt(bytes: Buffer, start: number, end: number): number | undefined {
  return end - start < HEADER_BYTES || bytes[start] !== 0 ? undefined : bytes.readInt32BE(start + 1)
}

function notInWireFormat(bytes: Buffer, start: number, end: number): ContractError {
  const beginning = bytes.subarray(start, Math.min(end, start + HEADER_BYTES)).toString('hex') || 'nothing'
  return new ContractError(
    'WIRE_FORMAT_INVALID',
    `not in Confluent wire format: expected a zero byte and a schema id, but the value starts with ${beginning}`
  )
}

export function writeHeader(value: Buffer, schemaID: number): void {
  value[0] = 0
  value.writeInt32BE(schemaID, 1)
}
