import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { makePrivateDirectory } from './private-directory.ts'

export const projectDirectory = resolve(import.meta.dirname, '..')

/**
 * Folder of everything that a run writes. `npm run reset` deletes all of it except jars and tools.
 */
export const orderlyDirectory = join(projectDirectory, '.orderly')
export const jarsDirectory = join(orderlyDirectory, 'jars')
export const samplesDirectory = join(import.meta.dirname, 'samples')

/** Folders that one run writes to. */
export interface RunDirectories {
  readonly run: string
  readonly logs: string
  readonly data: string
}

export function createRunDirectories(name: string, dataDirectory?: string): RunDirectories {
  const run = join(orderlyDirectory, name)
  const directories = { run, logs: join(run, 'logs'), data: dataDirectory ?? join(run, 'data') }
  makePrivateDirectory(directories.logs)
  mkdirSync(directories.data, { recursive: true })
  return directories
}
