import type { RecordHeaders } from '@orderly/kafka'
import type { Type } from 'avsc'
import { ContractError } from '../errors.ts'
import type { SchemaRegistry, WriterSchema } from '../registry/registry.ts'
import type { RecordSchema } from '../schema.ts'
import { createBoundsCheck } from './bounds.ts'
import { fingerprintHeader, fingerprintOf } from './fingerprint.ts'
import { parseAvroType } from './types.ts'
import { HEADER_BYTES } from './wire-format.ts'

/** Reads the value in `bytes` from `start` to before `end`. @throws ContractError */
export type ReadValue<Event> = (bytes: Buffer, start: number, end: number) => Event

export interface SchemaReadersOptions {
  readonly readerType: Type
  readonly registry: Pick<SchemaRegistry, 'schemaByID' | 'versions'>
  /** Schemas that are read without the registry: all versions of the event that this code knows. */
  readonly released: readonly RecordSchema[]
  /** The subject of the topic, where a fingerprint is searched that is not under its record's id. */
  readonly subject?: string | undefined
  /** How long an id of the registry counts without another look. */
  readonly recheckMs?: number | undefined
}

interface Entry<Event> {
  readonly read: ReadValue<Event>
  /** Absent where the registry has something else than an Avro schema, or nothing. */
  readonly fingerprint?: string | undefined
  /** When the registry is asked again, as `performance.now()`. */
  readonly checkAtMs: number
}

const defaultRecheckMs = 10_000
const unknownForMs = 30_000
const maxUnknown = 1_000
const versionsCountForMs = 1_000

/**
 * Finds the schema that a record of one topic was written with.
 *
 * - A record that names its schema by fingerprint, as all of ours do, is read with exactly that schema: a released version,
 *   which this code carries, or one of the registry, under the record's id or elsewhere in the topic's subject. A registry that
 *   is away, or was emptied and filled again with other ids, therefore changes nothing.
 * - Any other record is read with the schema that the registry has under its id. The registry is asked again every `recheckMs`.
 *   When the id then leads to another schema, it is unknown which of the two a waiting record was written with, and reading stops.
 */
export class SchemaReaders<Event> {
  readonly #options: SchemaReadersOptions
  readonly #byFingerprint = new Map<string, ReadValue<Event>>()
  readonly #byID = new Map<number, Entry<Event>>()
  /** Fingerprints and ids that lead to no schema. Broken records can carry any, so only the newest are kept. */
  readonly #unknown = new Map<string | number, Entry<Event>>()
  #versions: { readonly list: Promise<readonly WriterSchema[]>; readonly staleAtMs: number } | undefined
  /** The fingerprint found last, as the header has it: neighbours in a topic have the same schema nearly always. */
  #recent: { readonly content: Buffer; readonly read: ReadValue<Event> } | undefined

  constructor(options: SchemaReadersOptions) {
    this.#options = options
    for (const schema of options.released) {
      const type = parseAvroType(schema)
      this.#byFingerprint.set(
        fingerprintOf(type),
        createReader(options.readerType, 'the released schema', () => type)
      )
    }
  }

  isLoaded(schemaID: number, headers: RecordHeaders | undefined): boolean {
    if (this.#recent !== undefined && headers?.equals(fingerprintHeader, this.#recent.content)) return true
    const fingerprint = headers?.text(fingerprintHeader)
    if (fingerprint !== undefined && this.#byFingerprint.has(fingerprint)) return true
    const entry = (fingerprint === undefined && this.#byID.get(schemaID)) || this.#unknown.get(fingerprint ?? schemaID)
    return entry !== undefined && performance.now() < entry.checkAtMs
  }

  /**
   * Loads what `find` needs.
   * @throws ContractError `REGISTRY_UNAVAILABLE`, or `SCHEMA_ID_REUSED`, which nothing but an operator can resolve
   */
  async load(schemaID: number, headers: RecordHeaders | undefined): Promise<void> {
    if (this.isLoaded(schemaID, headers)) return
    const fingerprint = headers?.text(fingerprintHeader)
    if (fingerprint === undefined) await this.#loadByID(schemaID)
    else await this.#loadByFingerprint(fingerprint, schemaID)
  }

  /** @returns undefined when nothing was loaded for the record */
  find(schemaID: number, headers: RecordHeaders | undefined): ReadValue<Event> | undefined {
    if (this.#recent !== undefined && headers?.equals(fingerprintHeader, this.#recent.content)) return this.#recent.read
    const fingerprint = headers?.text(fingerprintHeader)
    if (fingerprint === undefined) return (this.#byID.get(schemaID) ?? this.#unknown.get(schemaID))?.read
    const read = this.#byFingerprint.get(fingerprint)
    if (read === undefined) return this.#unknown.get(fingerprint)?.read
    this.#recent = { content: Buffer.from(fingerprint), read }
    return read
  }

  async #loadByFingerprint(fingerprint: string, schemaID: number): Promise<void> {
    const { registry, readerType } = this.#options
    const isWanted = (schema: WriterSchema | undefined) =>
      schema !== undefined && fingerprintOfText(schema) === fingerprint
    const underID = await registry.schemaByID(schemaID).catch(asTransient)
    const schema = isWanted(underID) ? underID : (await this.#listVersions()).find(isWanted)
    if (schema !== undefined) {
      const name = `the schema ${fingerprint}`
      this.#byFingerprint.set(
        fingerprint,
        createReader(readerType, name, () => parseWriterSchema(schema))
      )
      return
    }
    const underItsID = underID === undefined ? 'and none' : 'but another one'
    this.#rememberUnknown(
      fingerprint,
      `the schema registry has no schema with the record's fingerprint ${fingerprint} (${underItsID} under its id ${schemaID})`
    )
  }

  /** Many records with unknown fingerprints share one list. */
  #listVersions(): Promise<readonly WriterSchema[]> {
    const { registry, subject } = this.#options
    if (subject === undefined) return Promise.resolve([])
    if (this.#versions === undefined || performance.now() > this.#versions.staleAtMs) {
      const list = registry.versions(subject).catch(asTransient)
      this.#versions = { list, staleAtMs: performance.now() + versionsCountForMs }
    }
    return this.#versions.list
  }

  async #loadByID(schemaID: number): Promise<void> {
    const { registry, readerType, recheckMs = defaultRecheckMs } = this.#options
    const before = this.#byID.get(schemaID)
    const checkAtMs = performance.now() + recheckMs
    const schema = await registry.schemaByID(schemaID).catch(error => {
      if (before?.fingerprint === undefined) asTransient(error)
      return undefined
    })
    if (schema === undefined) {
      // A registry that is away, or empty, gives an id no new meaning.
      if (before?.fingerprint !== undefined) this.#byID.set(schemaID, { ...before, checkAtMs })
      else this.#rememberUnknown(schemaID, `the schema registry has no schema with the record's id ${schemaID}`)
      return
    }
    const fingerprint = fingerprintOfText(schema)
    if (before?.fingerprint !== undefined && fingerprint !== before.fingerprint) {
      throw reused(schemaID, before.fingerprint, fingerprint)
    }
    const read =
      before?.fingerprint === undefined
        ? createReader<Event>(readerType, `schema ${schemaID}`, () => parseWriterSchema(schema))
        : before.read
    this.#byID.set(schemaID, { read, fingerprint, checkAtMs })
  }

  #rememberUnknown(key: string | number, message: string): void {
    const read = () => {
      throw new ContractError('SCHEMA_UNKNOWN', message)
    }
    const [oldest] = this.#unknown.keys()
    if (this.#unknown.size >= maxUnknown && oldest !== undefined) this.#unknown.delete(oldest)
    this.#unknown.delete(key)
    this.#unknown.set(key, { read, checkAtMs: performance.now() + unknownForMs })
  }
}

/** @throws Error when records of the writer's schema cannot be read with the reader's. */
export function checkReadable(readerSchema: RecordSchema, writer: WriterSchema): void {
  resolve(parseAvroType(readerSchema), parseWriterSchema(writer))
}

/**
 * avsc compares full names by default. The specification, and Java, want the unqualified ones to match: a registry
 * accepts a version with another namespace as compatible.
 */
function resolve(readerType: Type, writerType: Type) {
  return readerType.createResolver(writerType, { ignoreNamespaces: true })
}

/** A schema that cannot be read is kept as a reader that says so: another look would not change it. */
function createReader<Event>(readerType: Type, name: string, parse: () => Type): ReadValue<Event> {
  try {
    const writerType = parse()
    const checkBounds = createBoundsCheck(writerType)
    const sameShape = writerType.fingerprint().equals(readerType.fingerprint())
    const resolver = sameShape ? undefined : resolve(readerType, writerType)
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
    const message = `${name} cannot be read as ${readerType.name}: ${(cause as Error).message}`
    return () => {
      throw new ContractError('SCHEMA_UNREADABLE', message, { cause })
    }
  }
}

function parseWriterSchema({ format, text }: WriterSchema): Type {
  if (format !== 'AVRO') throw new Error(`it is ${format}, not AVRO`)
  return parseAvroType(JSON.parse(text))
}

function fingerprintOfText(schema: WriterSchema): string | undefined {
  try {
    return fingerprintOf(parseWriterSchema(schema))
  } catch {
    return undefined
  }
}

/** No failure of the registry says anything about a record: the record waits. */
function asTransient(error: unknown): never {
  if (error instanceof ContractError && error.retryable) throw error
  throw new ContractError('REGISTRY_UNAVAILABLE', error instanceof Error ? error.message : String(error), {
    cause: error
  })
}

function reused(schemaID: number, before: string, now: string | undefined): ContractError {
  return new ContractError(
    'SCHEMA_ID_REUSED',
    `schema id ${schemaID} led to the schema ${before} and now leads to ${now ?? 'one that is no Avro'}: the schema registry was ` +
      `emptied and filled again. Records without the header ${fingerprintHeader} cannot be read safely. Restore the registry's former ` +
      'content; or, when no such record waits, start the process again'
  )
}
