/** An Avro record schema, as in an .avsc file. */
export interface RecordSchema {
  readonly type: 'record'
  readonly name: string
  readonly namespace: string
  readonly doc?: string
  readonly fields: readonly { readonly name: string; readonly type: unknown; readonly [attribute: string]: unknown }[]
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

type Newest<Schemas extends EventSchemas> = Schemas['versions'][Schemas['newestVersion']]

/** Returns the newest version of an event's schema. */
export function newestSchema<const Schemas extends EventSchemas>({
  versions,
  newestVersion
}: Schemas): Newest<Schemas> {
  return versions[newestVersion] as Newest<Schemas>
}

type Defaults<Field> = Field extends { readonly name: infer Name extends string; readonly default: infer Default }
  ? { readonly [Key in Name]: Default }
  : never
type Intersection<Union> = (Union extends unknown ? (member: Union) => void : never) extends (all: infer All) => void
  ? All
  : never

/**
 * Returns the fields of an event that have a default, with their defaults: every field that was
 * added after version 1.
 */
export function defaultsOf<const Schemas extends EventSchemas>(
  schemas: Schemas
): Intersection<Defaults<Newest<Schemas>['fields'][number]>> {
  const { fields } = newestSchema(schemas) as RecordSchema
  const defaults = fields.flatMap(field => ('default' in field ? [[field.name, field.default]] : []))
  return Object.fromEntries(defaults)
}
