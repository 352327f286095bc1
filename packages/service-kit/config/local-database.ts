import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * The addresses and passwords of a Postgres that runs here, in a file that only its user may read. The launcher writes it;
 * programs that are started by hand beside `npm start` find their own role in it.
 */
export interface DatabaseCredentials {
  /** `host:port` */
  readonly address: string
  /** By the name of the role. */
  readonly passwords: Readonly<Record<string, string>>
}

const usualFile = join(import.meta.dirname, '..', '..', '..', '.orderly', 'data', 'postgres.credentials.json')

/** @throws Error where the file cannot be read */
export function readCredentials(file: string): DatabaseCredentials {
  return JSON.parse(readFileSync(file, 'utf8')) as DatabaseCredentials
}

/** @throws Error where the role has no password */
export function databaseURLOf({ address, passwords }: DatabaseCredentials, role: string, database = 'orderly'): string {
  const password = passwords[role]
  if (password === undefined) throw new Error(`the password of the database role ${role} is missing`)
  return `postgres://${role}:${encodeURIComponent(password)}@${address}/${database}`
}

/** The address of the database of `npm start` for a role; undefined where it never ran. */
export function localDatabaseURL(role: string): string | undefined {
  try {
    return databaseURLOf(readCredentials(usualFile), role)
  } catch {
    return undefined
  }
}
