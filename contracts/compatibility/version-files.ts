import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseAvroType } from '../avro/types.ts'
import type { RecordSchema } from '../schema.ts'

/** One event with its versions as they stand in the repository. */
export interface EventFolder {
  readonly folder: string
  readonly eventType: string
  /** `versions[0]` is version 1. */
  readonly versions: readonly RecordSchema[]
}

/** Fingerprints of the versions that may be in topics and registries, by `folder/file`. */
export type LockedVersions = Readonly<Record<string, string>>

const lockFile = 'versions.lock.json'

/** What somebody has to mend in a file of `contracts/`. The message is all they need to know. */
export class ContractFileError extends Error {
  constructor(place: string, problem: string, options?: ErrorOptions) {
    super(`contracts/${place}: ${problem}`, options)
    this.name = 'ContractFileError'
  }
}

/** @throws ContractFileError */
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
      throw new ContractFileError(folder, `versions are v1.avsc, v2.avsc and so on without a gap; ${name} is missing`)
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
    // avsc ends some messages with the whole schema.
    const reason = (cause as Error).message.replace(/: \[\{.*/s, '')
    throw new ContractFileError(name, `no Avro schema${where}: ${reason}`, { cause })
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
    throw new ContractFileError(name, `no JSON: ${(cause as Error).message}`, { cause })
  }
}

/** avsc does not say where it found the fault: it is in the field without which there would be none. */
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
  return folder.replaceAll(/(?:^|-)(.)/g, (_, letter: string) => letter.toUpperCase())
}

/** Of what is registered: layout does not count, everything else does, also documentation. */
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

/** Runs what reads the files of `contracts/`: what somebody has to mend there is said in a line, without a stack. */
export function explainFileErrors(work: () => void): void {
  try {
    work()
  } catch (error) {
    if (!(error instanceof ContractFileError)) throw error
    console.error(error.message)
    process.exitCode = 1
  }
}
