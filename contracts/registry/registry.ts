import type { RecordSchema } from '../schema.ts'

/** A schema in the registry. Only the format `AVRO` is supported. */
export interface WriterSchema {
  readonly format: string
  readonly text: string
}

export interface RegisteredSchema extends WriterSchema {
  readonly version: number
}

export interface SchemaRegistry {
  /**
   * Registers the schema under the subject, unless it is registered, and returns its id. Also sets
   * the subject's compatibility mode, so that the registry refuses schemas of any client that are
   * not FULL_TRANSITIVE.
   * @throws SchemaRejectedError when the registry rejects the schema, ContractError for all other
   * failures
   */
  register(subject: string, schema: RecordSchema): Promise<number>

  /**
   * Returns all schemas registered under the subject, oldest first; none if the subject does not
   * exist.
   * @throws ContractError `REGISTRY_UNAVAILABLE` or `REGISTRY_REFUSED`
   */
  versions(subject: string): Promise<readonly RegisteredSchema[]>

  /**
   * Looks up the schema with this id. Returns undefined if a second lookup after a delay does not
   * find it either, because a follower may not have replicated a new schema yet. Results are not
   * cached, because the meaning of an id can change when a registry is refilled.
   * @throws ContractError `REGISTRY_UNAVAILABLE` or `REGISTRY_REFUSED`
   */
  schemaByID(schemaID: number): Promise<WriterSchema | undefined>
}
