import avro, { type Type, type types } from 'avsc'

type AvscSchema = Parameters<typeof avro.Type.forSchema>[0]

/** Parses an Avro schema. @throws Error when it is invalid */
export function parseAvroType(schema: object): Type {
  return avro.Type.forSchema(schema as AvscSchema, { omitRecordMethods: true })
}

/**
 * Parses an Avro schema to a type that decodes records to plain objects. avsc creates a class per
 * record type, and its instances are not deeply equal to literals. The prototype is replaced once
 * per type, which costs nothing per record, unlike copying.
 */
export function parsePlainAvroType(schema: object): Type {
  const type = parseAvroType(schema)
  readAsPlainObjects(type, new Set())
  return type
}

function readAsPlainObjects(type: Type, seen: Set<Type>): void {
  if (seen.has(type)) return
  seen.add(type)
  if (type.typeName === 'record') (type as types.RecordType).recordConstructor.prototype = Object.prototype
  for (const part of partsOf(type)) readAsPlainObjects(part, seen)
}

function partsOf(type: Type): readonly Type[] {
  switch (type.typeName) {
    case 'record':
      return (type as types.RecordType).fields.map(field => field.type)
    case 'array':
      return [(type as types.ArrayType).itemsType]
    case 'map':
      return [(type as types.MapType).valuesType]
    case 'union:unwrapped':
    case 'union:wrapped':
      return (type as types.UnwrappedUnionType).types
    default:
      return []
  }
}
