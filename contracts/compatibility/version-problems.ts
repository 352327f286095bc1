import { findIncompatibilities, type Incompatibility } from './full-transitive.ts'
import { type EventFolder, fileName, fingerprintOf, type LockedVersions } from './version-files.ts'

/** Everything that is wrong with the versions in the repository, one line each: what, by which rule, what to do. */
export function findVersionProblems(folders: readonly EventFolder[], locked: LockedVersions): string[] {
  return [...folders.flatMap(event => problemsOf(event, locked)), ...missingVersions(folders, locked)]
}

/** The lock with the versions that are new; what is locked stays as it is. */
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
    return `RELEASED_VERSIONS_ARE_LOCKED: contracts/${file} is not in contracts/versions.lock.json; when it is final, run \`npm run lock-versions\``
  }
  return (
    `RELEASED_VERSIONS_STAY: contracts/${file} was released and has been edited, but records written with it stay in the topics; ` +
    `undo the edit (git checkout contracts/${file}) and make the change in v${nextVersion}.avsc`
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
        `RELEASED_VERSIONS_STAY: contracts/${file} was released and is gone, but records written with it stay in the topics; put it back (git checkout contracts/${file})`
    )
}

function fingerprints(folders: readonly EventFolder[]): Record<string, string> {
  return Object.fromEntries(
    folders.flatMap(({ folder, versions }) =>
      versions.map((schema, index) => [fileName(folder, index + 1), fingerprintOf(schema)])
    )
  )
}
