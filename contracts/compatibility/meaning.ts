import { isDeepStrictEqual } from 'node:util'
import { writerFieldOf } from './resolution.ts'
import type { RecordModel, SchemaModel } from './schema-model.ts'

/**
 * What Avro and every registry let pass although it changes what records that are written already mean: another default
 * (a record without the field is read differently from one version to the next), another unit behind the same number.
 */
export type MeaningRule = 'DEFAULT_CHANGED' | 'LOGICAL_TYPE_CHANGED'

export interface ChangeOfMeaning {
  readonly rule: MeaningRule
  readonly path: string
  readonly detail: string
}

export function findChangesOfMeaning(newer: SchemaModel, older: SchemaModel): ChangeOfMeaning[] {
  return compare(newer, older, '', new Set())
}

function compare(newer: SchemaModel, older: SchemaModel, path: string, seen: Set<SchemaModel>): ChangeOfMeaning[] {
  if (newer.kind === 'record' && older.kind === 'record') return compareRecords(newer, older, path, seen)
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
