import { existsSync, readdirSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createRunDirectories, orderlyDirectory } from '../directories.ts'
import { holderOf, takeRunLock } from '../preflight/run-lock.ts'
import { isDiskFull, runCommand } from './command.ts'

/** What took long to fetch and holds nothing of the user's. */
const kept = new Set(['jars', 'tools', 'compile-cache'])

await runCommand(async () => {
  if (!existsSync(orderlyDirectory)) return 0
  const release = lockData()
  const directories = readdirSync(orderlyDirectory, { withFileTypes: true })
    .filter(entry => entry.isDirectory() && !kept.has(entry.name))
    .map(({ name }) => join(orderlyDirectory, name))
  release()
  // Demos and tests that run at this moment keep theirs.
  const unused = directories.filter(directory => holderOf(directory) !== 'alive')
  await Promise.all(unused.map(directory => rm(directory, { recursive: true, force: true })))
  process.stdout.write('All data and logs are deleted; the next start begins with empty topics and the sample stock.\n')
  return 0
})

/** Not while something works on the data. @returns what gives them back */
function lockData(): () => void {
  try {
    return takeRunLock(createRunDirectories('start').run).release
  } catch (error) {
    // Then nothing can start on them either, and this is what makes room.
    if (isDiskFull(error)) return () => {}
    throw error
  }
}
