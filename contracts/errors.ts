export type ContractErrorCode =
  /** The bytes are not in Confluent wire format. */
  | 'WIRE_FORMAT_INVALID'
  /** The registry has no schema with the fingerprint of the record or, without one, the id. */
  | 'SCHEMA_UNKNOWN'
  /** The registry has a different schema under an id than before. */
  | 'SCHEMA_ID_REUSED'
  /** Records of the writer's schema cannot be read as the event of the topic. */
  | 'SCHEMA_UNREADABLE'
  | 'RECORD_TRUNCATED'
  | 'RECORD_TRAILING_BYTES'
  | 'RECORD_INVALID'
  /** An event to be written does not match its schema. */
  | 'EVENT_INVALID'
  /**
   * The registry rejects the schema of the running program, or has a version that the program
   * cannot read.
   */
  | 'SCHEMA_REJECTED'
  /**
   * The registry refused the request (credentials, permissions), or the server is not a schema
   * registry.
   */
  | 'REGISTRY_REFUSED'
  | 'REGISTRY_UNAVAILABLE'

export class ContractError extends Error {
  readonly code: ContractErrorCode

  constructor(code: ContractErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ContractError'
    this.code = code
  }

  /**
   * Returns true if the same call may succeed later without a change of a schema, a record or a
   * setting.
   */
  get retryable(): boolean {
    return this.code === 'REGISTRY_UNAVAILABLE'
  }
}

/**
 * A permanent error: a schema of the running program is incompatible with the schemas in the
 * registry.
 */
export class SchemaRejectedError extends ContractError {
  readonly subject: string
  /**
   * EX_PROTOCOL of sysexits.h: the exit code of a process that cannot start because of this error.
   */
  readonly exitCode = 76

  constructor(subject: string, message: string, options?: ErrorOptions) {
    super('SCHEMA_REJECTED', message, options)
    this.name = 'SchemaRejectedError'
    this.subject = subject
  }
}
