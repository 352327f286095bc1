import { findIncompatibilities, type Incompatibility } from './full-transitive.ts'
import { type EventFolder, fileName, fingerprintOf, type LockedVersions } from './version-files.ts'

/**
 * Returns all problems of the versions in the repository, one line each: the problem, the rule and
 * the fix.
 */
export function findVersionProblems(folders: readonly EventFolder[], locked: LockedVersions): string[] {
  return [...folders.flatMap(event => problemsOf(event, locked)), ...missingVersions(folders, locked)]
}

/** Adds new versions to the lock; locked versions stay unchanged. */
export function lockNewVersions(folders: readonly EventFolder[], locked: LockedVersions): LockedVersions {
  const found = fingerprints(folders)
  return Object.fromEntries(
    Object.entries({ ...found, ...locked }).toSorted(([one], [other]) => one.localeCompare(other))
  )
}

function problemsOf({ folder, eventType, versions }: EventFolder, locked: LockedVersions): string[] {
  const edits = versions.flatMap((schema, index) => {
    const file = fileName(folder, index + 1)
    const problem = lockProblem(file, fingerprintOf(schema), locked[file], versions.length + 1)
    return problem === undefined ? [] : [`${eventType} v${index + 1}: ${problem}`]
  })
  return [...edits, ...findIncompatibilities(versions).map(found => describe(folder, eventType, found))]
}

function lockProblem(
  file: string,
  fingerprint: string,
  locked: string | undefined,
  nextVersion: number
): string | undefined {
  if (fingerprint === locked) return undefined
  if (locked === undefined) {
    return `RELEASED_VERSIONS_ARE_LOCKED: contracts/${file} is not in contracts/versions.lock.json: run \`npm run lock-versions\` when it is final`
  }
  return (
    `RELEASED_VERSIONS_STAY: contracts/${file} was edited after its release, but topics still contain records of it: ` +
    `revert the edit (git checkout contracts/${file}) and make the change in v${nextVersion}.avsc`
  )
}

function describe(
  folder: string,
  eventType: string,
  { rule, version, against, path, detail, advice }: Incompatibility
): string {
  const others = against.map(older => `v${older}`).join(', ')
  const where = path === '' ? 'the record' : `field ${path}`
  const file = `contracts/${fileName(folder, version)}`
  return `${eventType} v${version}, ${where}: ${rule} (FULL_TRANSITIVE, against ${others}): ${detail}; in ${file} ${advice}`
}

function missingVersions(folders: readonly EventFolder[], locked: LockedVersions): string[] {
  const present = fingerprints(folders)
  return Object.keys(locked)
    .filter(file => !(file in present))
    .map(
      file =>
        `RELEASED_VERSIONS_STAY: contracts/${file} was removed after its release, but topics still contain records of it: restore it (git checkout contracts/${file})`
    )
}

function fingerprints(folders: readonly EventFolder[]): Record<string, string> {
  return Object.fromEntries(
    folders.flatMap(({ folder, versions }) =>
      versions.map((schema, index) => [fileName(folder, index + 1), fingerprintOf(schema)])
    )
  )
}
