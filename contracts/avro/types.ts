import avro, { type Type, type types } from 'avsc'

type AvscSchema = Parameters<typeof avro.Type.forSchema>[0]

/** @throws Error when this is no Avro schema. */
export function parseAvroType(schema: object): Type {
  return avro.Type.forSchema(schema as AvscSchema, { omitRecordMethods: true })
}

/**
 * Like `parseAvroType`, and what is read with this type are plain objects. avsc gives every record a class of its own,
 * which is not deeply equal to the same literal; setting the prototype once costs nothing per record, copying would.
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
