import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { makePrivateDirectory } from './private-directory.ts'

export const projectDirectory = resolve(import.meta.dirname, '..')

/** Everything that running leaves behind lies here; `npm run reset` deletes all of it but jars and tools. */
export const orderlyDirectory = join(projectDirectory, '.orderly')
export const jarsDirectory = join(orderlyDirectory, 'jars')
export const samplesDirectory = join(import.meta.dirname, 'samples')

/** Where one run keeps what it writes. */
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
