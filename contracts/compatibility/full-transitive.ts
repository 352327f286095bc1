import { findChangesOfMeaning, type MeaningRule } from './meaning.ts'
import { findObstacles, type ResolutionRule } from './resolution.ts'
import { modelOf, type SchemaModel } from './schema-model.ts'

export interface Incompatibility {
  readonly rule: ResolutionRule | MeaningRule
  /** The version that breaks the rule: always the newer one of two, since the older one is in use. */
  readonly version: number
  /** The older versions that it does not go with. */
  readonly against: readonly number[]
  readonly path: string
  readonly detail: string
  readonly advice: string
}

/**
 * FULL_TRANSITIVE: code of every version reads records of every other version, so that producers and consumers may be
 * deployed in any order and rolled back. And no version changes what records of another one mean.
 * @param versions by number, from 1 on
 */
export function findIncompatibilities(versions: readonly object[]): Incompatibility[] {
  const models = versions.map(modelOf)
  return models.flatMap((newer, index) => {
    const found = new Map<string, Incompatibility>()
    for (const [olderIndex, older] of models.slice(0, index).entries()) {
      for (const incompatibility of compare(newer, older, index + 1, olderIndex + 1)) {
        const key = `${incompatibility.rule} ${incompatibility.path}`
        const known = found.get(key)
        const against = [...new Set([...(known?.against ?? []), olderIndex + 1])]
        found.set(key, { ...(known ?? incompatibility), against })
      }
    }
    return [...found.values()]
  })
}

function compare(newer: SchemaModel, older: SchemaModel, version: number, olderVersion: number): Incompatibility[] {
  const backward = findObstacles(newer, older).map(obstacle => ({
    ...obstacle,
    detail: `v${version} cannot read v${olderVersion}: ${obstacle.detail}`,
    advice: adviceForNewReader[obstacle.rule]
  }))
  const forward = findObstacles(older, newer).map(obstacle => ({
    ...obstacle,
    detail: `v${olderVersion} cannot read v${version}: ${obstacle.detail}`,
    advice: adviceForOldReader[obstacle.rule]
  }))
  const changes = findChangesOfMeaning(newer, older).map(change => ({
    ...change,
    detail: `from v${olderVersion} to v${version} ${change.detail}`,
    advice: adviceOnMeaning[change.rule]
  }))
  return [...backward, ...forward, ...changes].map(found => ({ ...found, version, against: [olderVersion] }))
}

const keepType = 'keep the type; what needs another one is a new field with a default'
const keepName = 'keep the name'

const adviceForNewReader: Readonly<Record<ResolutionRule, string>> = {
  FIELD_WITHOUT_DEFAULT: 'give the new field a default',
  TYPE_CHANGED: keepType,
  NAME_CHANGED: keepName,
  ENUM_SYMBOL_UNKNOWN: 'keep every symbol that was ever written',
  FIXED_SIZE_CHANGED: keepType,
  UNION_BRANCH_UNKNOWN: 'keep every branch that was ever written'
}

const adviceForOldReader: Readonly<Record<ResolutionRule, string>> = {
  FIELD_WITHOUT_DEFAULT: 'put the field back: code that is running needs it',
  TYPE_CHANGED: keepType,
  NAME_CHANGED: keepName,
  ENUM_SYMBOL_UNKNOWN: 'leave the symbol out: an enum can grow only if every version before gave it a default',
  FIXED_SIZE_CHANGED: keepType,
  UNION_BRANCH_UNKNOWN: 'leave the branch out; what needs it is a new field with a default'
}

const adviceOnMeaning: Readonly<Record<MeaningRule, string>> = {
  DEFAULT_CHANGED: 'keep the default: it says what the records without the field mean',
  NAMESPACE_CHANGED: 'keep the namespace',
  LOGICAL_TYPE_CHANGED: 'keep the logical type; another unit is a new field with a default'
}
