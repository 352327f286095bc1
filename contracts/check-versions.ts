/**
 * Checks the .avsc files against each other and against versions.lock.json; exits 1 when a version is not compatible with
 * all others (FULL_TRANSITIVE) or a released one was edited. `--lock` adds the versions that are new to the lock.
 */
import { writeFileSync } from 'node:fs'
import { lockPath, readEventFolders, readLock } from './compatibility/version-files.ts'
import { findVersionProblems, lockNewVersions } from './compatibility/version-problems.ts'

const directory = import.meta.dirname
const folders = readEventFolders(directory)
let locked = readLock(directory)

if (process.argv.includes('--lock')) {
  locked = lockNewVersions(folders, locked)
  if (report() === 0) writeFileSync(lockPath(directory), `${JSON.stringify(locked, null, 2)}\n`)
} else {
  report()
}

function report(): number {
  const problems = findVersionProblems(folders, locked)
  for (const problem of problems) console.error(problem)
  process.exitCode = problems.length === 0 ? 0 : 1
  return problems.length
}
