import { existsSync, readdirSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { CommandSpec } from '@orderly/command-line'
import { createRunDirectories, orderlyDirectory } from '../directories.ts'
import { holderOf, takeRunLock } from '../preflight/run-lock.ts'
import { isDiskFull, runCommand } from './command.ts'

/** Folders without user data that take long to download again. */
const kept = new Set(['jars', 'tools', 'compile-cache'])

const spec: CommandSpec = {
  name: 'npm run reset --',
  summary: 'delete the data and logs of npm start, and of demos and tests that have ended',
  examples: ['npm run reset'],
  options: {}
}

await runCommand(spec, async () => {
  if (!existsSync(orderlyDirectory)) return 0
  const release = lockData()
  const directories = readdirSync(orderlyDirectory, { withFileTypes: true })
    .filter(entry => entry.isDirectory() && !kept.has(entry.name))
    .map(({ name }) => join(orderlyDirectory, name))
  release()
  // Running demos and tests keep their folders.
  const unused = directories.filter(directory => holderOf(directory) !== 'alive')
  await Promise.all(unused.map(directory => rm(directory, { recursive: true, force: true })))
  process.stdout.write('All data and logs are deleted; the next start begins with empty topics and the sample stock.\n')
  return 0
})

/**
 * Takes the lock of the data, so that no run can use it.
 * @returns a function that releases the lock
 */
function lockData(): () => void {
  try {
    return takeRunLock(createRunDirectories('start').run).release
  } catch (error) {
    // A full disk also prevents other runs from starting, and the reset frees space.
    if (isDiskFull(error)) return () => {}
    throw error
  }
}
