/** An Avro record schema as it stands in an .avsc file. */
export interface RecordSchema {
  readonly type: 'record'
  readonly name: string
  readonly namespace: string
  readonly doc?: string
  readonly fields: readonly object[]
}

/** Every version of one event's schema. Code reads the newest; which one is written is configuration. */
export interface EventSchemas {
  readonly eventType: string
  readonly newestVersion: number
  readonly versions: Readonly<Record<number, RecordSchema>>
}
