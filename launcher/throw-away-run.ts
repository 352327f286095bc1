import { randomBytes } from 'node:crypto'
import { readdirSync, rmSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createRunDirectories, orderlyDirectory, type RunDirectories } from './directories.ts'
import { holderOf, takeRunLock } from './preflight/run-lock.ts'

const kinds = ['demo', 'test', 'broker', 'service'] as const

export interface ThrowAwayRun {
  readonly directories: RunDirectories
  /** Deletes all files of the run, or all except the logs. */
  discard(options?: { keepLogs: boolean }): Promise<void>
}

/** Creates folders with a unique name. Deletes those of killed runs. */
export function createThrowAwayRun(kind: (typeof kinds)[number]): ThrowAwayRun {
  deleteLeftovers()
  const directories = createRunDirectories(`${kind}-${randomBytes(4).toString('hex')}`)
  const lock = takeRunLock(directories.run)
  return {
    directories,
    async discard({ keepLogs } = { keepLogs: false }) {
      lock.release()
      await rm(keepLogs ? directories.data : directories.run, { recursive: true, force: true })
    }
  }
}

function deleteLeftovers(): void {
  const isThrowAway = (name: string) => kinds.some(kind => name.startsWith(`${kind}-`))
  for (const name of safeNames().filter(isThrowAway)) {
    const directory = join(orderlyDirectory, name)
    if (holderOf(directory) === 'dead') rmSync(directory, { recursive: true, force: true })
  }
}

function safeNames(): string[] {
  try {
    return readdirSync(orderlyDirectory)
  } catch {
    return []
  }
}
