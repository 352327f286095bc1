export type ContractErrorCode =
  /** The bytes are not in Confluent wire format. */
  | 'WIRE_FORMAT_INVALID'
  /** The registry has no schema with the fingerprint, or else the id, of the record. */
  | 'SCHEMA_UNKNOWN'
  /** The registry has another schema under an id than it had before. */
  | 'SCHEMA_ID_REUSED'
  /** The writer's schema cannot be read as the event that this topic carries. */
  | 'SCHEMA_UNREADABLE'
  | 'RECORD_TRUNCATED'
  | 'RECORD_TRAILING_BYTES'
  | 'RECORD_INVALID'
  /** An event that does not fit its schema was about to be written. */
  | 'EVENT_INVALID'
  /** The registry does not accept our schema, or has one that this code cannot read. */
  | 'SCHEMA_REJECTED'
  /** The registry answered, but not to us: credentials, rights, or not a schema registry at all. */
  | 'REGISTRY_REFUSED'
  | 'REGISTRY_UNAVAILABLE'

export class ContractError extends Error {
  readonly code: ContractErrorCode

  constructor(code: ContractErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ContractError'
    this.code = code
  }

  /** Whether the same call may succeed later without anybody changing a schema, a record or a setting. */
  get retryable(): boolean {
    return this.code === 'REGISTRY_UNAVAILABLE'
  }
}

/** A schema of ours and those in the registry do not go together: no trying again helps, nor any other setting. */
export class SchemaRejectedError extends ContractError {
  readonly subject: string
  /** EX_PROTOCOL of sysexits.h: what a process ends with that could not start for this reason. */
  readonly exitCode = 76

  constructor(subject: string, message: string, options?: ErrorOptions) {
    super('SCHEMA_REJECTED', message, options)
    this.name = 'SchemaRejectedError'
    this.subject = subject
  }
}
