import type { EnumModel, FieldModel, RecordModel, SchemaModel, UnionModel } from './schema-model.ts'

/**
 * Rule of Avro's schema resolution that keeps records of one schema from being read with another.
 */
export type ResolutionRule =
  | 'FIELD_WITHOUT_DEFAULT'
  | 'TYPE_CHANGED'
  | 'NAME_CHANGED'
  | 'ENUM_SYMBOL_UNKNOWN'
  | 'FIXED_SIZE_CHANGED'
  | 'UNION_BRANCH_UNKNOWN'

export interface Obstacle {
  readonly rule: ResolutionRule
  /**
   * Path of the field from the outermost record, such as `items[].quantity`; empty for the record
   * itself.
   */
  readonly path: string
  /** Difference between writer and reader, for people. */
  readonly detail: string
}

/**
 * Writer's types that a reader's type accepts besides itself:
 * https://avro.apache.org/docs/1.12.0/specification/#schema-resolution
 */
const promotions: Readonly<Record<string, readonly string[]>> = {
  long: ['int'],
  float: ['int', 'long'],
  double: ['int', 'long', 'float'],
  string: ['bytes'],
  bytes: ['string']
}

/**
 * Returns all reasons why the reader's schema cannot read records of the writer's schema; none if
 * it can.
 */
export function findObstacles(reader: SchemaModel, writer: SchemaModel): Obstacle[] {
  return resolve(reader, writer, '', new Map())
}

/**
 * Pairs of records that are being compared in an outer call. Recursive schemas would otherwise
 * never end.
 */
type InFlight = Map<SchemaModel, Set<SchemaModel>>

function resolve(reader: SchemaModel, writer: SchemaModel, path: string, inFlight: InFlight): Obstacle[] {
  if (writer.kind === 'union') return resolveWriterUnion(reader, writer, path, inFlight)
  if (reader.kind === 'union') return resolveReaderUnion(reader, writer, path, inFlight)
  if (reader.kind === 'primitive' && writer.kind === 'primitive') {
    const isReadable = reader.name === writer.name || promotions[reader.name]?.includes(writer.name) === true
    return isReadable ? [] : [typeChanged(reader, writer, path)]
  }
  if (reader.kind === 'array' && writer.kind === 'array') {
    return resolve(reader.items, writer.items, `${path}[]`, inFlight)
  }
  if (reader.kind === 'map' && writer.kind === 'map') {
    return resolve(reader.values, writer.values, `${path}{}`, inFlight)
  }
  if (reader.kind === 'fixed' && writer.kind === 'fixed') {
    const detail = `${writer.sizeBytes} bytes are written and ${reader.sizeBytes} expected`
    return reader.sizeBytes === writer.sizeBytes
      ? nameObstacles(reader, writer, path)
      : [{ rule: 'FIXED_SIZE_CHANGED', path, detail }]
  }
  if (reader.kind === 'enum' && writer.kind === 'enum') return resolveEnum(reader, writer, path)
  if (reader.kind === 'record' && writer.kind === 'record') return resolveRecord(reader, writer, path, inFlight)
  return [typeChanged(reader, writer, path)]
}

function resolveRecord(reader: RecordModel, writer: RecordModel, path: string, inFlight: InFlight): Obstacle[] {
  if (inFlight.get(reader)?.has(writer)) return []
  inFlight.set(reader, (inFlight.get(reader) ?? new Set()).add(writer))
  const obstacles = nameObstacles(reader, writer, path)
  for (const field of reader.fields) {
    const fieldPath = path === '' ? field.name : `${path}.${field.name}`
    const source = writerFieldOf(field, writer)
    if (source !== undefined) obstacles.push(...resolve(field.type, source.type, fieldPath, inFlight))
    else if (!('default' in field)) {
      const detail = 'the field is expected, has no default, and is not written'
      obstacles.push({ rule: 'FIELD_WITHOUT_DEFAULT', path: fieldPath, detail })
    }
  }
  return obstacles
}

/** Finds the writer's field for a field of the reader, by its name and then by its aliases. */
export function writerFieldOf(field: FieldModel, writer: RecordModel): FieldModel | undefined {
  for (const name of [field.name, ...field.aliases]) {
    const source = writer.fields.find(candidate => candidate.name === name)
    if (source !== undefined) return source
  }
  return undefined
}

function resolveEnum(reader: EnumModel, writer: EnumModel, path: string): Obstacle[] {
  const obstacles = nameObstacles(reader, writer, path)
  const unknown = writer.symbols.filter(symbol => !reader.symbols.includes(symbol))
  if (unknown.length > 0 && reader.default === undefined) {
    const detail = `${unknown.join(', ')} may be written and ${reader.symbols.join(', ')} are known`
    obstacles.push({ rule: 'ENUM_SYMBOL_UNKNOWN', path, detail })
  }
  return obstacles
}

/** Checks that the reader can read every branch, because each record can contain any of them. */
function resolveWriterUnion(reader: SchemaModel, writer: UnionModel, path: string, inFlight: InFlight): Obstacle[] {
  for (const branch of writer.branches) {
    const obstacles = resolve(reader, branch, path, inFlight)
    const [first] = obstacles
    if (first === undefined) continue
    // An obstacle in a nested field is more specific than UNION_BRANCH_UNKNOWN.
    return first.path === path ? [unionBranchUnknown(reader, branch, path)] : obstacles
  }
  return []
}

function resolveReaderUnion(reader: UnionModel, writer: SchemaModel, path: string, inFlight: InFlight): Obstacle[] {
  const isReadable = reader.branches.some(branch => resolve(branch, writer, path, copyOf(inFlight)).length === 0)
  if (isReadable) return []
  const namesake = reader.branches.find(branch => branch.kind === writer.kind && branch.kind === 'record')
  return namesake === undefined ? [unionBranchUnknown(reader, writer, path)] : resolve(namesake, writer, path, inFlight)
}

/**
 * Copies the pairs, so that comparing an unreadable branch does not mark its records as compared.
 */
function copyOf(inFlight: InFlight): InFlight {
  return new Map([...inFlight].map(([reader, writers]) => [reader, new Set(writers)]))
}

/** Compares unqualified names, as the specification requires; namespaces may differ. */
function nameObstacles(
  reader: { readonly name: string; readonly aliases: readonly string[] },
  writer: { readonly name: string },
  path: string
): Obstacle[] {
  const readable = [reader.name, ...reader.aliases].map(unqualified)
  if (readable.includes(unqualified(writer.name))) return []
  return [{ rule: 'NAME_CHANGED', path, detail: `${writer.name} is written and ${reader.name} expected` }]
}

function unqualified(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1)
}

function typeChanged(reader: SchemaModel, writer: SchemaModel, path: string): Obstacle {
  return { rule: 'TYPE_CHANGED', path, detail: `${titleOf(writer)} is written and ${titleOf(reader)} expected` }
}

function unionBranchUnknown(reader: SchemaModel, writer: SchemaModel, path: string): Obstacle {
  const detail = `${titleOf(writer)} may be written and ${titleOf(reader)} is expected`
  return { rule: 'UNION_BRANCH_UNKNOWN', path, detail }
}

function titleOf(model: SchemaModel): string {
  if (model.kind === 'union') return `[${model.branches.map(titleOf).join(', ')}]`
  if (model.kind === 'primitive') return model.name
  return 'name' in model ? `${model.kind} ${model.name}` : model.kind
}
