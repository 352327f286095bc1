import type { RecordSchema } from '../schema.ts'

/** What a registry keeps under an id. Only `AVRO` can be read here. */
export interface WriterSchema {
  readonly format: string
  readonly text: string
}

export interface RegisteredSchema extends WriterSchema {
  readonly version: number
}

export interface SchemaRegistry {
  /**
   * The id of this schema under the subject; the schema is registered when it is not there yet. Sees to it that the
   * registry itself refuses whatever is not FULL_TRANSITIVE under this subject, from whoever it comes.
   * @throws SchemaRejectedError when the registry does not accept it, ContractError for everything else.
   */
  register(subject: string, schema: RecordSchema): Promise<number>

  /**
   * Every schema that was registered under the subject, the oldest first; none when there is no such subject.
   * @throws ContractError `REGISTRY_UNAVAILABLE` or `REGISTRY_REFUSED`.
   */
  versions(subject: string): Promise<readonly RegisteredSchema[]>

  /**
   * Asks for the schema with this id. `undefined` when the registry has none, also not a moment later: it may be a follower
   * that has yet to learn of a schema that its leader has given out. Nothing is remembered: an id is a fact that expires.
   * @throws ContractError `REGISTRY_UNAVAILABLE` or `REGISTRY_REFUSED`.
   */
  schemaByID(schemaID: number): Promise<WriterSchema | undefined>
}
