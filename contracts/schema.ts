/** An Avro record schema, as in an .avsc file. */
export interface RecordSchema {
  readonly type: 'record'
  readonly name: string
  readonly namespace: string
  readonly doc?: string
  readonly fields: readonly object[]
}

/**
 * All versions of an event's schema. Code reads with the newest one; configuration selects the one
 * to write.
 */
export interface EventSchemas {
  readonly eventType: string
  readonly newestVersion: number
  readonly versions: Readonly<Record<number, RecordSchema>>
}
