import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * The address and the role passwords of the local Postgres. The launcher writes them to a file that
 * only its user may read. Programs started by hand next to `npm start` read their role's password
 * from it.
 */
export interface DatabaseCredentials {
  /** Address as `host:port`. */
  readonly address: string
  /** Password per role name. */
  readonly passwords: Readonly<Record<string, string>>
}

const usualFile = join(import.meta.dirname, '..', '..', '..', '.orderly', 'data', 'postgres.credentials.json')

/** Reads the credentials file. @throws Error when it cannot be read */
export function readCredentials(file: string): DatabaseCredentials {
  return JSON.parse(readFileSync(file, 'utf8')) as DatabaseCredentials
}

/** Builds the database URL of a role. @throws Error when the role has no password */
export function databaseURLOf({ address, passwords }: DatabaseCredentials, role: string, database = 'orderly'): string {
  const password = passwords[role]
  if (password === undefined) throw new Error(`the password of the database role ${role} is missing`)
  return `postgres://${role}:${encodeURIComponent(password)}@${address}/${database}`
}

/**
 * Returns the URL of the `npm start` database for a role, or undefined if `npm start` never ran.
 */
export function localDatabaseURL(role: string): string | undefined {
  try {
    return databaseURLOf(readCredentials(usualFile), role)
  } catch {
    return undefined
  }
}
