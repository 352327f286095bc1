import type { Codec } from '@orderly/kafka'
import type { Type } from 'avsc'
import { ContractError } from '../errors.ts'
import type { SchemaRegistry, WriterSchema } from '../registry/registry.ts'
import type { RecordSchema } from '../schema.ts'
import { createBoundsCheck } from './bounds.ts'
import { parseAvroType, parsePlainAvroType } from './types.ts'
import { HEADER_BYTES, notInWireFormat, schemaIDAt, writeHeader } from './wire-format.ts'

export interface AvroCodecOptions {
  readonly registry: SchemaRegistry
  readonly readerSchema: RecordSchema
  /** What is written; nothing can be without it. */
  readonly writer?: WriterOptions
}

export interface WriterOptions {
  readonly schema: RecordSchema
  /** The id of the schema in the registry. */
  readonly schemaID: number
}

type Reader<Event> = (bytes: Buffer, start: number, end: number) => Event

/** Every event of usual size is encoded here first and copied out at its exact size. */
const scratch = Buffer.allocUnsafeSlow(32 * 1024)

/**
 * Reads what any compatible schema wrote, by that schema's id in the value; writes with one schema.
 * `decode` and `encode` throw ContractError only.
 */
export function createAvroCodec<Event>(options: AvroCodecOptions): Codec<Event> {
  const readerType = parsePlainAvroType(options.readerSchema)
  const readers = new Map<number, Reader<Event>>()

  async function prepareReader(schemaID: number): Promise<void> {
    const schema = await options.registry.schemaByID(schemaID).catch(asTransient)
    if (schema !== undefined) readers.set(schemaID, createReader(readerType, schemaID, schema))
  }

  return {
    isPrepared(bytes, start = 0, end = bytes.length) {
      const schemaID = schemaIDAt(bytes, start, end)
      return schemaID === undefined || readers.has(schemaID)
    },

    async prepare(values) {
      const wanted = new Set(values.map(value => schemaIDAt(value, 0, value.length)))
      const missing = [...wanted].filter(schemaID => schemaID !== undefined && !readers.has(schemaID)) as number[]
      await Promise.all(missing.map(prepareReader))
    },

    decode(bytes, start = 0, end = bytes.length) {
      const schemaID = schemaIDAt(bytes, start, end)
      if (schemaID === undefined) throw notInWireFormat(bytes, start, end)
      const read = readers.get(schemaID)
      if (read === undefined) {
        throw new ContractError('SCHEMA_UNKNOWN', `the schema registry has no schema with the record's id ${schemaID}`)
      }
      return read(bytes, start, end)
    },

    encode: options.writer === undefined ? refuseToWrite(readerType) : createWriter(options.writer)
  }
}

/** @throws Error when records of the writer's schema cannot be read with the reader's. */
export function checkReadable(readerSchema: RecordSchema, writer: WriterSchema): void {
  parseAvroType(readerSchema).createResolver(parseWriterSchema(writer))
}

/** No trouble with the registry says anything about a record: it waits, and is not given up. */
function asTransient(error: unknown): never {
  if (error instanceof ContractError && error.retryable) throw error
  throw new ContractError('REGISTRY_UNAVAILABLE', error instanceof Error ? error.message : String(error), {
    cause: error
  })
}

/** A schema that cannot be read is kept as a reader that says so: looking again would not change it. */
function createReader<Event>(readerType: Type, schemaID: number, schema: WriterSchema): Reader<Event> {
  try {
    const writerType = parseWriterSchema(schema)
    const checkBounds = createBoundsCheck(writerType)
    const sameShape = writerType.fingerprint().equals(readerType.fingerprint())
    const resolver = sameShape ? undefined : readerType.createResolver(writerType)
    return (bytes, start, end) => {
      checkBounds(bytes, start + HEADER_BYTES, end)
      try {
        return readerType.decode(bytes, start + HEADER_BYTES, resolver).value as Event
      } catch (cause) {
        throw new ContractError('RECORD_INVALID', `the record is not valid Avro: ${(cause as Error).message}`, {
          cause
        })
      }
    }
  } catch (cause) {
    const message = `schema ${schemaID} cannot be read as ${readerType.name}: ${(cause as Error).message}`
    return () => {
      throw new ContractError('SCHEMA_UNREADABLE', message, { cause })
    }
  }
}

function parseWriterSchema({ format, text }: WriterSchema): Type {
  if (format !== 'AVRO') throw new Error(`it is ${format}, not AVRO`)
  return parseAvroType(JSON.parse(text))
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
