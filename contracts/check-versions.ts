/**
 * Checks the .avsc files against each other and against versions.lock.json. Exits with 1 if a
 * version is not compatible with all others (FULL_TRANSITIVE) or a released version was edited.
 * `--lock` adds new versions to the lock file.
 */
import { writeFileSync } from 'node:fs'
import { explainFileErrors, lockPath, readEventFolders, readLock } from './compatibility/version-files.ts'
import { findVersionProblems, lockNewVersions } from './compatibility/version-problems.ts'

explainFileErrors(() => {
  const directory = import.meta.dirname
  const isLocking = process.argv.includes('--lock')
  const folders = readEventFolders(directory)
  const locked = isLocking ? lockNewVersions(folders, readLock(directory)) : readLock(directory)
  const problems = findVersionProblems(folders, locked)
  for (const problem of problems) console.error(problem)
  if (problems.length > 0) process.exitCode = 1
  else if (isLocking) writeFileSync(lockPath(directory), `${JSON.stringify(locked, null, 2)}\n`)
})
