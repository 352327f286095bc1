import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseAvroType } from '../avro/types.ts'
import type { RecordSchema } from '../schema.ts'

/** An event with its versions in the repository. */
export interface EventFolder {
  readonly folder: string
  readonly eventType: string
  /** `versions[0]` is version 1. */
  readonly versions: readonly RecordSchema[]
}

/**
 * Fingerprints of the released versions, by `folder/file`. Topics and registries may contain these
 * versions.
 */
export type LockedVersions = Readonly<Record<string, string>>

const lockFile = 'versions.lock.json'

/**
 * An error in a file of `contracts/`. The message says how to fix it, so no stack trace is needed.
 */
export class ContractFileError extends Error {
  constructor(place: string, problem: string, options?: ErrorOptions) {
    super(`contracts/${place}: ${problem}`, options)
    this.name = 'ContractFileError'
  }
}

/** Reads and parses all versions of all events. @throws ContractFileError */
export function readEventFolders(contractsDirectory: string): EventFolder[] {
  return readdirSync(contractsDirectory, { withFileTypes: true })
    .filter(entry => entry.isDirectory() && entry.name !== 'node_modules')
    .map(entry => entry.name)
    .filter(name => readdirSync(join(contractsDirectory, name)).some(file => file.endsWith('.avsc')))
    .sort()
    .map(folder => ({
      folder,
      eventType: eventTypeOf(folder),
      versions: readVersions(join(contractsDirectory, folder), folder)
    }))
}

export function fileName(folder: string, version: number): string {
  return `${folder}/v${version}.avsc`
}

function readVersions(directory: string, folder: string): RecordSchema[] {
  const present = readdirSync(directory).filter(file => file.endsWith('.avsc'))
  return present.map((_, index) => {
    const name = fileName(folder, index + 1)
    if (!present.includes(`v${index + 1}.avsc`)) {
      throw new ContractFileError(folder, `${name} is missing: name versions v1.avsc, v2.avsc and so on without a gap`)
    }
    return parseVersion(name, readFileSync(join(directory, `v${index + 1}.avsc`), 'utf8'), eventTypeOf(folder))
  })
}

function parseVersion(name: string, text: string, eventType: string): RecordSchema {
  const schema = parseJSON(name, text)
  try {
    parseAvroType(schema)
  } catch (cause) {
    const field = fieldToBlame(schema)
    const where = field === undefined ? '' : `, because of the field ${field}`
    // avsc appends the whole schema to some messages.
    const reason = (cause as Error).message.replace(/: \[\{.*/s, '')
    throw new ContractFileError(name, `not a valid Avro schema${where}: ${reason}`, { cause })
  }
  if (schema.type !== 'record' || schema.name !== eventType) {
    throw new ContractFileError(name, `must be a record named ${eventType}, like its folder`)
  }
  return schema
}

function parseJSON(name: string, text: string): RecordSchema {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new ContractFileError(name, `not valid JSON: ${(cause as Error).message}`, { cause })
  }
}

/**
 * Finds the invalid field, which avsc does not report: the one without which the schema is valid.
 */
function fieldToBlame(schema: Partial<RecordSchema> | null): string | undefined {
  const fields: unknown = schema?.fields
  if (!Array.isArray(fields)) return undefined
  return fields.find(field => isAvro({ ...schema, fields: fields.filter(other => other !== field) }))?.name
}

function isAvro(schema: object): boolean {
  try {
    parseAvroType(schema)
    return true
  } catch {
    return false
  }
}

function eventTypeOf(folder: string): string {
  return folder.replaceAll(/(?:^|-)(.)/g, (_, deadLetter: string) => deadLetter.toUpperCase())
}

/**
 * Computes the fingerprint of a registered schema. It ignores layout, but includes documentation.
 */
export function fingerprintOf(schema: RecordSchema): string {
  return `sha256:${createHash('sha256').update(JSON.stringify(schema)).digest('hex')}`
}

export function readLock(contractsDirectory: string): LockedVersions {
  const path = join(contractsDirectory, lockFile)
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : {}
}

export function lockPath(contractsDirectory: string): string {
  return join(contractsDirectory, lockFile)
}

/** Runs `work` and prints a ContractFileError as one line without a stack trace. */
export function explainFileErrors(work: () => void): void {
  try {
    work()
  } catch (error) {
    if (!(error instanceof ContractFileError)) throw error
    console.error(error.message)
    process.exitCode = 1
  }
}
