import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Refusal } from '@orderly/stack'
import type { History } from './history.ts'

/** A history is kept under a version, as a checker of tomorrow may ask for more than one of today recorded. */
const version = 2

/** @returns the file */
export async function saveHistory(history: History, directory: string, name = 'history'): Promise<string> {
  const file = join(directory, `${name}.json`)
  await writeFile(file, JSON.stringify({ version, ...history }))
  return file
}

/** @throws Refusal unless it is a history that this checker can read */
export async function loadHistory(file: string): Promise<History> {
  const text = await readFile(file, 'utf8').catch(error => {
    throw new Refusal(`The history ${file} cannot be read: ${error.message}`)
  })
  const { version: found, ...history } = JSON.parse(text) as History & { version: number }
  if (found !== version)
    throw new Refusal(`${file} is a history of version ${found}, and this reads version ${version}.`)
  return history
}
