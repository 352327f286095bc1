import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { UserError } from '@orderly/launcher'
import type { History } from './history.ts'

/**
 * Format version of saved histories; later checkers may need data that earlier runs did not record.
 */
const version = 2

/** Saves a history as JSON. @returns the path of the file */
export async function saveHistory(history: History, directory: string, name = 'history'): Promise<string> {
  const file = join(directory, `${name}.json`)
  await writeFile(file, JSON.stringify({ version, ...history }))
  return file
}

/** Loads a saved history. @throws UserError if it cannot be read or has another version */
export async function loadHistory(file: string): Promise<History> {
  const text = await readFile(file, 'utf8').catch(error => {
    throw new UserError(`Cannot read the history ${file}: ${error.message}`)
  })
  const { version: found, ...history } = JSON.parse(text) as History & { version: number }
  if (found !== version)
    throw new UserError(
      `${file} has history version ${found}; only version ${version} can be checked. Run the verifier again.`
    )
  return history
}
