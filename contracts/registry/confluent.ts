import { setTimeout as delay } from 'node:timers/promises'
import { ContractError, SchemaRejectedError } from '../errors.ts'
import type { RecordSchema } from '../schema.ts'
import { createRegistryRequest, type RegistryAddress, type RegistryResponse, type RetryOptions } from './http.ts'
import { createLimit } from './limit.ts'
import type { RegisteredSchema, SchemaRegistry, WriterSchema } from './registry.ts'

export interface SchemaRegistryOptions extends RegistryAddress, Partial<RetryOptions> {
  /** Delay after which an unknown id is looked up once more before it counts as unknown. */
  readonly confirmUnknownMs?: number
}

const CONFIRM_UNKNOWN_MS = 2_000
const MAX_CONCURRENT_LOOKUPS = 8
const COMPATIBILITY = 'FULL_TRANSITIVE'

/**
 * Creates a client for registries with the Confluent API: Confluent, Apicurio (`/apis/ccompat/v7`),
 * Karapace, Redpanda.
 */
export function createSchemaRegistry(options: SchemaRegistryOptions): SchemaRegistry {
  const request = createRegistryRequest(options, {
    timeoutMs: options.timeoutMs ?? 5_000,
    attempts: options.attempts ?? 4,
    retryDelayMs: options.retryDelayMs ?? 200
  })
  const lookups = createLimit(MAX_CONCURRENT_LOOKUPS)

  async function findID(subject: string, schema: RecordSchema): Promise<number | undefined> {
    const purpose = `look up the schema of ${subject}`
    const response = await request({ purpose, path: subjectPath(subject), method: 'POST', payload: asPayload(schema) })
    return isFound(response, purpose) ? idIn(response, purpose) : undefined
  }

  async function isEnforced(subject: string): Promise<boolean> {
    const purpose = `read the compatibility mode of ${subject}`
    const response = await request({ purpose, path: configPath(subject) })
    return isFound(response, purpose) && response.body.compatibilityLevel === COMPATIBILITY
  }

  /**
   * Sets the compatibility mode of a subject. It is called before the first version is registered,
   * so the mode always applies.
   */
  async function enforceCompatibility(subject: string): Promise<void> {
    if (await isEnforced(subject)) return
    const path = configPath(subject)
    const set = `set the compatibility mode of ${subject} to ${COMPATIBILITY}`
    const answer = await request({ purpose: set, path, method: 'PUT', payload: { compatibility: COMPATIBILITY } })
    // Another instance may have set the mode concurrently; some registries then answer with a
    // conflict.
    if (!isFound(answer, set) && !(await isEnforced(subject))) {
      const reason = String(answer.body.message ?? `HTTP ${answer.status}`)
      throw new ContractError('REGISTRY_REFUSED', `cannot ${set}: ${reason}; use a registry that supports this mode`)
    }
  }

  async function loadVersion(subject: string, version: unknown): Promise<RegisteredSchema[]> {
    const purpose = `read version ${version} of ${subject}`
    const response = await request({ purpose, path: `${subjectPath(subject)}/versions/${version}` })
    // The version was deleted after the list was read.
    if (!isFound(response, purpose)) return []
    return [{ version: Number(version), ...schemaIn(response, purpose) }]
  }

  async function loadSchema(schemaID: number): Promise<WriterSchema | undefined> {
    const purpose = `read the schema with id ${schemaID}`
    const response = await request({ purpose, path: `/schemas/ids/${schemaID}` })
    return isFound(response, purpose) ? schemaIn(response, purpose) : undefined
  }

  return {
    async register(subject, schema) {
      await enforceCompatibility(subject)
      const known = await findID(subject, schema)
      if (known !== undefined) return known
      const purpose = `register the schema of ${subject}`
      const path = `${subjectPath(subject)}/versions`
      const response = await request({ purpose, path, method: 'POST', payload: asPayload(schema) })
      if (response.status < 300) return idIn(response, purpose)
      // Another instance may have registered the same schema concurrently.
      const registeredMeanwhile = await findID(subject, schema)
      if (registeredMeanwhile !== undefined) return registeredMeanwhile
      throw rejected(subject, schema, response)
    },

    async versions(subject) {
      const purpose = `list the versions of ${subject}`
      const response = await request({ purpose, path: `${subjectPath(subject)}/versions` })
      if (!isFound(response, purpose)) return []
      if (!Array.isArray(response.body)) throw notARegistry(purpose)
      return (await Promise.all(response.body.map(version => loadVersion(subject, version)))).flat()
    },

    async schemaByID(schemaID) {
      const schema = await lookups.run(() => loadSchema(schemaID))
      if (schema !== undefined) return schema
      await delay(options.confirmUnknownMs ?? CONFIRM_UNKNOWN_MS)
      return lookups.run(() => loadSchema(schemaID))
    }
  }
}

function subjectPath(subject: string): string {
  return `/subjects/${encodeURIComponent(subject)}`
}

function configPath(subject: string): string {
  return `/config/${encodeURIComponent(subject)}`
}

function asPayload(schema: RecordSchema): object {
  return { schema: JSON.stringify(schema) }
}

/**
 * Returns true for a successful response, false if the subject or schema does not exist.
 *
 * A wrong base URL answers 404 to everything. Interpreted as "no such schema", it would make dead
 * letters of valid records, so only the registry's codes 40401 to 40499 count. 422 answers the
 * lookup of a schema that the registry cannot parse; registering it reports the error again.
 */
function isFound({ status, body }: RegistryResponse, purpose: string): boolean {
  if (status === 404 && !/^404\d\d$/.test(String(body.error_code))) throw notARegistry(purpose)
  return status < 300
}

function idIn(response: RegistryResponse, purpose: string): number {
  const { id } = response.body
  if (!Number.isInteger(id)) throw notARegistry(purpose)
  return id as number
}

function schemaIn({ body }: RegistryResponse, purpose: string): WriterSchema {
  const { schema, schemaType } = body
  if (typeof schema !== 'string') throw notARegistry(purpose)
  return { format: typeof schemaType === 'string' ? schemaType : 'AVRO', text: schema }
}

function notARegistry(purpose: string): ContractError {
  return new ContractError(
    'REGISTRY_REFUSED',
    `cannot ${purpose}: the response is not that of a schema registry; check SCHEMA_REGISTRY_URL`
  )
}

function rejected(subject: string, schema: RecordSchema, { status, body }: RegistryResponse): SchemaRejectedError {
  const reason = String(body.message ?? `HTTP ${status}`)
  const advice =
    status === 409
      ? `it is not compatible (${COMPATIBILITY}) with a registered version: revert the change of ` +
        `${schema.name}, or give the new field a default; \`npm run check\` names the field`
      : 'check the rules of this subject in the registry'
  return new SchemaRejectedError(
    subject,
    `the schema registry rejected ${schema.name} under ${subject}: ${advice} (${reason})`
  )
}
