import type { RecordHeaders } from '@orderly/kafka'
import type { Type } from 'avsc'
import { ContractError } from '../errors.ts'
import type { SchemaRegistry, WriterSchema } from '../registry/registry.ts'
import type { RecordSchema } from '../schema.ts'
import { createBoundsCheck } from './bounds.ts'
import { fingerprintHeader, fingerprintOf } from './fingerprint.ts'
import { parseAvroType } from './types.ts'

/**
 * Function that decodes the Avro body in `bytes` from `start` to before `end`.
 * @throws ContractError
 */
export type ReadValue<Event> = (bytes: Buffer, start: number, end: number) => Event

export interface SchemaReadersOptions {
  readonly readerType: Type
  readonly registry: Pick<SchemaRegistry, 'schemaByID' | 'versions'>
  /** Schemas that are read without the registry: all versions of the event in this code. */
  readonly released: readonly RecordSchema[]
  /**
   * Subject of the topic, searched for fingerprints that are not found under the id of the record.
   */
  readonly subject?: string | undefined
  /** Time after which an id is looked up again. */
  readonly recheckMs?: number | undefined
}

interface Entry<Event> {
  readonly read: ReadValue<Event>
  /** Undefined if the registry has no Avro schema under the id. */
  readonly fingerprint?: string | undefined
  /** Time of the next lookup, as `performance.now()`. */
  readonly checkAtMs: number
}

const defaultRecheckMs = 10_000
const unknownForMs = 30_000
const maxUnknown = 1_000
const versionsCountForMs = 1_000

/**
 * Finds the writer's schema of each record of a topic.
 *
 * - A record with a schema fingerprint, which all services write, is read with exactly that schema:
 *   a released version in this code, or a schema of the registry under the record's id or elsewhere
 *   in the topic's subject. So records are read correctly even if the registry is unavailable, or
 *   was emptied and filled again with other ids.
 * - Any other record is read with the schema that the registry has under its id. The id is looked
 *   up again every `recheckMs`. If it then leads to another schema, it is unknown which of the two
 *   a pending record was written with, and reading stops.
 */
export class SchemaReaders<Event> {
  readonly #options: SchemaReadersOptions
  readonly #byFingerprint = new Map<string, ReadValue<Event>>()
  readonly #byID = new Map<number, Entry<Event>>()
  /**
   * Fingerprints and ids without a schema. Invalid records can contain any value, so only the
   * newest are kept.
   */
  readonly #unknown = new Map<string | number, Entry<Event>>()
  #versions: { readonly list: Promise<readonly WriterSchema[]>; readonly staleAtMs: number } | undefined
  /**
   * The last fingerprint found, as header bytes, because adjacent records nearly always have the
   * same schema.
   */
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
   * Loads the schema of a record for `find`.
   * @throws ContractError `REGISTRY_UNAVAILABLE`, or `SCHEMA_ID_REUSED`, which only an operator can
   * resolve
   */
  async load(schemaID: number, headers: RecordHeaders | undefined): Promise<void> {
    if (this.isLoaded(schemaID, headers)) return
    const fingerprint = headers?.text(fingerprintHeader)
    if (fingerprint === undefined) await this.#loadByID(schemaID)
    else await this.#loadByFingerprint(fingerprint, schemaID)
  }

  /** Returns the reader for a record, or undefined if `load` was not called for it. */
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

  /**
   * Lists the versions of the subject. Records with unknown fingerprints share one list for a short
   * time.
   */
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
      // If the registry is unavailable or empty, the id keeps its known schema.
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

/**
 * Checks that records of the writer's schema can be read with the reader's schema.
 * @throws Error otherwise
 */
export function checkReadable(readerSchema: RecordSchema, writer: WriterSchema): void {
  resolve(parseAvroType(readerSchema), parseWriterSchema(writer))
}

/**
 * Creates a resolver that compares unqualified names. The specification and Java do so, and
 * registries accept a version with another namespace as compatible; avsc compares full names by
 * default.
 */
function resolve(readerType: Type, writerType: Type) {
  return readerType.createResolver(writerType, { ignoreNamespaces: true })
}

/**
 * Creates a reader for a writer's schema. For an unreadable schema it creates a reader that always
 * throws.
 */
function createReader<Event>(readerType: Type, name: string, parse: () => Type): ReadValue<Event> {
  try {
    const writerType = parse()
    const checkBounds = createBoundsCheck(writerType)
    const sameShape = writerType.fingerprint().equals(readerType.fingerprint())
    const resolver = sameShape ? undefined : resolve(readerType, writerType)
    return (bytes, start, end) => {
      checkBounds(bytes, start, end)
      try {
        return readerType.decode(bytes, start, resolver).value as Event
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

/**
 * Converts any failure of the registry to a retryable error, because the record itself may be
 * valid.
 */
function asTransient(error: unknown): never {
  if (error instanceof ContractError && error.retryable) throw error
  throw new ContractError('REGISTRY_UNAVAILABLE', error instanceof Error ? error.message : String(error), {
    cause: error
  })
}

function reused(schemaID: number, before: string, now: string | undefined): ContractError {
  return new ContractError(
    'SCHEMA_ID_REUSED',
    `schema id ${schemaID} led to the schema ${before} and now leads to ${now ?? 'a schema that is not Avro'}: the schema registry was ` +
      `emptied and filled again. Records without the header ${fingerprintHeader} cannot be read safely. Restore the registry's former ` +
      'content, or restart the process if no such record is pending'
  )
}
