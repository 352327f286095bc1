import { findChangesOfMeaning, type MeaningRule } from './meaning.ts'
import { findObstacles, type ResolutionRule } from './resolution.ts'
import { modelOf, type SchemaModel } from './schema-model.ts'

export interface Incompatibility {
  readonly rule: ResolutionRule | MeaningRule
  /** Version that breaks the rule: always the newer one of two, because the older one is in use. */
  readonly version: number
  /** Older versions with which it is incompatible. */
  readonly against: readonly number[]
  readonly path: string
  readonly detail: string
  readonly advice: string
}

/**
 * Finds violations of FULL_TRANSITIVE: code of every version must read records of every other
 * version, so that producers and consumers can be deployed and rolled back in any order. It also
 * finds changes of meaning (see MeaningRule).
 * @param versions schemas in order, starting with version 1
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

const keepType = 'keep the type, or add a new field with the other type and a default'
const keepName = 'keep the name'

const adviceForNewReader: Readonly<Record<ResolutionRule, string>> = {
  FIELD_WITHOUT_DEFAULT: 'give the new field a default',
  TYPE_CHANGED: keepType,
  NAME_CHANGED: keepName,
  ENUM_SYMBOL_UNKNOWN: 'keep all symbols of earlier versions',
  FIXED_SIZE_CHANGED: keepType,
  UNION_BRANCH_UNKNOWN: 'keep all branches of earlier versions'
}

const adviceForOldReader: Readonly<Record<ResolutionRule, string>> = {
  FIELD_WITHOUT_DEFAULT: 'restore the field: running code needs it',
  TYPE_CHANGED: keepType,
  NAME_CHANGED: keepName,
  ENUM_SYMBOL_UNKNOWN: 'remove the symbol: an enum can grow only if it has a default in every earlier version',
  FIXED_SIZE_CHANGED: keepType,
  UNION_BRANCH_UNKNOWN: 'remove the branch, or add a new field with the other type and a default'
}

const adviceOnMeaning: Readonly<Record<MeaningRule, string>> = {
  DEFAULT_CHANGED: 'keep the default: it defines the meaning of records without the field',
  NAMESPACE_CHANGED: 'keep the namespace',
  LOGICAL_TYPE_CHANGED: 'keep the logical type, or add a new field with the other unit and a default'
}
