import { writeFileSync } from 'node:fs'
import { type CommandSpec, readArguments } from '@orderly/command-line'
import { explainFileErrors, lockPath, readEventFolders, readLock } from './compatibility/version-files.ts'
import { findVersionProblems, lockNewVersions } from './compatibility/version-problems.ts'

const spec: CommandSpec = {
  name: 'npm run lock-versions --',
  summary: 'check the schemas of the events, and add new versions to contracts/versions.lock.json',
  examples: ['npm run lock-versions'],
  options: { lock: { type: 'boolean', description: 'adds new versions; npm run lock-versions sets it' } },
  notes: `Exits with 1 if a version is not compatible with all others (FULL_TRANSITIVE), or if a released version was
edited. npm run check does the same without --lock.`
}
const { options } = readArguments(spec)

explainFileErrors(() => {
  const directory = import.meta.dirname
  const isLocking = options.flag('lock')
  const folders = readEventFolders(directory)
  const locked = isLocking ? lockNewVersions(folders, readLock(directory)) : readLock(directory)
  const problems = findVersionProblems(folders, locked)
  for (const problem of problems) console.error(problem)
  if (problems.length > 0) process.exitCode = 1
  else if (isLocking) writeFileSync(lockPath(directory), `${JSON.stringify(locked, null, 2)}\n`)
})
