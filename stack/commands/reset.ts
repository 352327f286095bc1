import { existsSync, readdirSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createRunDirectories, orderlyDirectory } from '../directories.ts'
import { holderOf, takeRunLock } from '../preflight/run-lock.ts'
import { runCommand } from './command.ts'

/** What took long to fetch and holds nothing of the user's. */
const kept = new Set(['jars', 'tools', 'compile-cache'])

await runCommand(async () => {
  if (!existsSync(orderlyDirectory)) return 0
  // Not while something works on the data.
  const lock = takeRunLock(createRunDirectories('start').run)
  const directories = readdirSync(orderlyDirectory, { withFileTypes: true })
    .filter(entry => entry.isDirectory() && !kept.has(entry.name))
    .map(({ name }) => join(orderlyDirectory, name))
  lock.release()
  // Demos and tests that run at this moment keep theirs.
  const unused = directories.filter(directory => holderOf(directory) !== 'alive')
  await Promise.all(unused.map(directory => rm(directory, { recursive: true, force: true })))
  process.stdout.write('All data and logs are deleted; the next start begins with empty topics and the sample stock.\n')
  return 0
})
