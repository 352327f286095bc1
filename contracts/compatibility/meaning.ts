import { isDeepStrictEqual } from 'node:util'
import { writerFieldOf } from './resolution.ts'
import type { NamedModel, RecordModel, SchemaModel } from './schema-model.ts'

/**
 * A forbidden change that Avro and registries accept:
 * - another default: different versions read a record without the field differently
 * - another logical type: the same number gets another unit
 * - another namespace: classes that other readers generate from the schema get another name
 */
export type MeaningRule = 'DEFAULT_CHANGED' | 'LOGICAL_TYPE_CHANGED' | 'NAMESPACE_CHANGED'

export interface ChangeOfMeaning {
  readonly rule: MeaningRule
  readonly path: string
  readonly detail: string
}

export function findChangesOfMeaning(newer: SchemaModel, older: SchemaModel): ChangeOfMeaning[] {
  return compare(newer, older, '', new Set())
}

function compare(newer: SchemaModel, older: SchemaModel, path: string, seen: Set<SchemaModel>): ChangeOfMeaning[] {
  if (newer.kind === 'record' && older.kind === 'record') {
    return [...namespaceChange(newer, older, path), ...compareRecords(newer, older, path, seen)]
  }
  if ((newer.kind === 'enum' && older.kind === 'enum') || (newer.kind === 'fixed' && older.kind === 'fixed')) {
    const changes = namespaceChange(newer, older, path)
    if (changes.length > 0) return changes
  }
  if (newer.kind === 'array' && older.kind === 'array') return compare(newer.items, older.items, `${path}[]`, seen)
  if (newer.kind === 'map' && older.kind === 'map') return compare(newer.values, older.values, `${path}{}`, seen)
  if (newer.kind === 'union' && older.kind === 'union') {
    return newer.branches.flatMap(branch => {
      const former = older.branches.find(candidate => identityOf(candidate) === identityOf(branch))
      return former === undefined ? [] : compare(branch, former, path, seen)
    })
  }
  const [now, before] = [logicalTypeOf(newer), logicalTypeOf(older)]
  if (now === before) return []
  const detail = `the logical type was ${before ?? 'none'} and is ${now ?? 'none'}`
  return [{ rule: 'LOGICAL_TYPE_CHANGED', path, detail }]
}

function namespaceChange(newer: NamedModel, older: NamedModel, path: string): ChangeOfMeaning[] {
  const [now, before] = [newer, older].map(({ name }) => name.slice(0, Math.max(0, name.lastIndexOf('.'))))
  if (now === before) return []
  const detail = `the namespace was ${before || 'empty'} and is ${now || 'empty'}`
  return [{ rule: 'NAMESPACE_CHANGED', path, detail }]
}

function compareRecords(
  newer: RecordModel,
  older: RecordModel,
  path: string,
  seen: Set<SchemaModel>
): ChangeOfMeaning[] {
  if (seen.has(newer)) return []
  seen.add(newer)
  return newer.fields.flatMap(field => {
    const former = writerFieldOf(field, older)
    if (former === undefined) return []
    const fieldPath = path === '' ? field.name : `${path}.${field.name}`
    const changes = compare(field.type, former.type, fieldPath, seen)
    if ('default' in field && 'default' in former && !isDeepStrictEqual(field.default, former.default)) {
      const detail = `the default was ${JSON.stringify(former.default)} and is ${JSON.stringify(field.default)}`
      changes.push({ rule: 'DEFAULT_CHANGED', path: fieldPath, detail })
    }
    return changes
  })
}

function logicalTypeOf(model: SchemaModel): string | undefined {
  return model.kind === 'primitive' || model.kind === 'fixed' ? model.logicalType : undefined
}

function identityOf(model: SchemaModel): string {
  return 'name' in model ? `${model.kind} ${model.name}` : model.kind
}
