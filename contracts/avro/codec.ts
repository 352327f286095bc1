import type { Codec } from '@orderly/kafka'
import type { Type } from 'avsc'
import { ContractError } from '../errors.ts'
import type { SchemaRegistry } from '../registry/registry.ts'
import type { RecordSchema } from '../schema.ts'
import { fingerprintHeader, fingerprintOf } from './fingerprint.ts'
import { SchemaReaders } from './schema-readers.ts'
import { parseAvroType, parsePlainAvroType } from './types.ts'
import { HEADER_BYTES, notInWireFormat, schemaIDAt, writeHeader } from './wire-format.ts'

export interface AvroCodecOptions {
  readonly registry: Pick<SchemaRegistry, 'schemaByID' | 'versions'>
  readonly readerSchema: RecordSchema
  /** Schemas that are read without the registry; `readerSchema` alone when absent. */
  readonly released?: readonly RecordSchema[]
  /** The subject of the topic in the registry, where a schema is searched that is not under its record's id. */
  readonly subject?: string
  /** What is written; nothing can be without it. */
  readonly writer?: WriterOptions
  /** How long an id of the registry counts without another look, for records that do not name their schema. */
  readonly recheckMs?: number
}

export interface WriterOptions {
  readonly schema: RecordSchema
  /** The id of the schema in the registry. */
  readonly schemaID: number
}

/** Every event of usual size is encoded here first and copied out at its exact size. */
const scratch = Buffer.allocUnsafeSlow(32 * 1024)

/**
 * Creates a codec that reads what any compatible schema wrote (see SchemaReaders) and writes with one schema.
 * `decode` and `encode` throw ContractError only.
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
      return read(bytes, start, end)
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
    throw new Error(`${readerType.name} is connected for reading here: name it for writing in connectTopics`)
  }
}

function encode(writerType: Type, schemaID: number, event: unknown): Buffer {
  try {
    const end = writerType.encode(event, scratch, HEADER_BYTES)
    // A negative end tells by how many bytes the buffer was too short.
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

/** Names fields and what they should be, never their values: an event holds personal data. */
function faultsOf(type: Type, event: unknown): string {
  const faults: string[] = []
  type.isValid(event, {
    errorHook: (path, _value, expected) => faults.push(`${path.join('.')} is no ${expected.typeName}`)
  })
  return faults.join(', ')
}
