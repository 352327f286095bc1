/**
 * An Avro schema with resolved names, reduced to what the compatibility check compares. At run
 * time, avsc resolves schemas instead.
 */
export type SchemaModel = PrimitiveModel | RecordModel | EnumModel | FixedModel | ArrayModel | MapModel | UnionModel

export interface PrimitiveModel {
  readonly kind: 'primitive'
  readonly name: string
  readonly logicalType?: string
}

export interface NamedModel {
  /** Full name, including the namespace. */
  readonly name: string
  readonly aliases: readonly string[]
}

export interface RecordModel extends NamedModel {
  readonly kind: 'record'
  readonly fields: FieldModel[]
}

export interface FieldModel {
  readonly name: string
  readonly aliases: readonly string[]
  readonly type: SchemaModel
  /** Absent without a default; `null` is a default. */
  readonly default?: unknown
}

export interface EnumModel extends NamedModel {
  readonly kind: 'enum'
  readonly symbols: readonly string[]
  readonly default?: string
}

export interface FixedModel extends NamedModel {
  readonly kind: 'fixed'
  readonly sizeBytes: number
  readonly logicalType?: string
}

export interface ArrayModel {
  readonly kind: 'array'
  readonly items: SchemaModel
}

export interface MapModel {
  readonly kind: 'map'
  readonly values: SchemaModel
}

export interface UnionModel {
  readonly kind: 'union'
  readonly branches: readonly SchemaModel[]
}

interface Attributes {
  readonly [attribute: string]: unknown
}

const primitives = new Set(['null', 'boolean', 'int', 'long', 'float', 'double', 'bytes', 'string'])

/**
 * Converts an Avro schema to a model.
 * @param schema a valid Avro schema, parsed from JSON
 * @throws Error when a type name is not declared
 */
export function modelOf(schema: unknown): SchemaModel {
  return parse(schema, '', new Map())
}

function parse(node: unknown, namespace: string, named: Map<string, SchemaModel>): SchemaModel {
  if (typeof node === 'string') return parseName(node, namespace, named)
  if (Array.isArray(node)) return { kind: 'union', branches: node.map(branch => parse(branch, namespace, named)) }
  const attributes = node as Attributes
  switch (attributes.type) {
    case 'record':
    case 'error':
      return parseRecord(attributes, namespace, named)
    case 'enum':
      return declare(named, {
        kind: 'enum',
        ...nameOf(attributes, namespace),
        symbols: attributes.symbols as string[],
        ...(attributes.default === undefined ? {} : { default: attributes.default as string })
      })
    case 'fixed':
      return declare(named, {
        kind: 'fixed',
        ...nameOf(attributes, namespace),
        sizeBytes: attributes.size as number,
        ...logicalTypeOf(attributes)
      })
    case 'array':
      return { kind: 'array', items: parse(attributes.items, namespace, named) }
    case 'map':
      return { kind: 'map', values: parse(attributes.values, namespace, named) }
    default: {
      const model = parse(attributes.type, namespace, named)
      return model.kind === 'primitive' ? { ...model, ...logicalTypeOf(attributes) } : model
    }
  }
}

function parseName(name: string, namespace: string, named: Map<string, SchemaModel>): SchemaModel {
  if (primitives.has(name)) return { kind: 'primitive', name }
  const model = named.get(qualified(name, namespace)) ?? named.get(name)
  if (model === undefined) throw new Error(`the type "${name}" is used before it is declared`)
  return model
}

function parseRecord(attributes: Attributes, namespace: string, named: Map<string, SchemaModel>): RecordModel {
  const record: RecordModel = { kind: 'record', ...nameOf(attributes, namespace), fields: [] }
  // Declared before its fields are parsed, because they may have the type of the record.
  declare(named, record)
  const inner = namespaceOf(record.name)
  for (const field of attributes.fields as readonly Attributes[]) {
    record.fields.push({
      name: field.name as string,
      aliases: (field.aliases ?? []) as string[],
      type: parse(field.type, inner, named),
      ...('default' in field ? { default: field.default } : {})
    })
  }
  return record
}

function declare<Model extends SchemaModel & NamedModel>(named: Map<string, SchemaModel>, model: Model): Model {
  named.set(model.name, model)
  return model
}

function nameOf(attributes: Attributes, outer: string): NamedModel {
  const name = qualified(attributes.name as string, (attributes.namespace as string | undefined) ?? outer)
  const aliases = (attributes.aliases ?? []) as string[]
  return { name, aliases: aliases.map(alias => qualified(alias, namespaceOf(name))) }
}

function qualified(name: string, namespace: string): string {
  return name.includes('.') || namespace === '' ? name : `${namespace}.${name}`
}

function namespaceOf(name: string): string {
  return name.slice(0, Math.max(0, name.lastIndexOf('.')))
}

function logicalTypeOf({ logicalType }: Attributes): { logicalType?: string } {
  return typeof logicalType === 'string' ? { logicalType } : {}
}
