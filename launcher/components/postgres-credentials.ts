import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { type DatabaseRole, databaseRoles } from '@orderly/postgres'
import { type DatabaseCredentials, databaseURLOf, readCredentials, replaceFile } from '@orderly/service-kit'
import { UserError } from '../user-error.ts'

/** Role that `initdb` creates. It sets up roles and databases; no service has its password. */
export const superuser = 'postgres'

/** Addresses of a Postgres for each of its roles. */
export interface DatabaseAccess {
  /** File with the passwords, readable only by the user of the launcher. */
  readonly file: string
  /** Passwords of the roles of Orderly. */
  readonly passwords: ReadonlyMap<string, string>
  /** Returns the address for the superuser, which only sets up roles and databases. */
  superuserURL(database?: string): string
  /** Returns the address for one of the roles of Orderly. */
  urlOf(role: DatabaseRole, database?: string): string
  /** Returns `url` with another role: the same server and database. */
  as(role: DatabaseRole, url: string): string
}

export function credentialsFileOf(dataDirectory: string): string {
  return `${dataDirectory}.credentials.json`
}

/** Reads the credentials of a Postgres. @throws Error if the file cannot be read */
export function databaseAccess(file: string): DatabaseAccess {
  const credentials = readCredentials(file)
  return {
    file,
    passwords: new Map(Object.entries(credentials.passwords).filter(([role]) => role !== superuser)),
    superuserURL: (database = 'postgres') => databaseURLOf(credentials, superuser, database),
    urlOf: (role, database) => databaseURLOf(credentials, role, database),
    as(role, url) {
      const address = new URL(url)
      address.username = role
      address.password = encodeURIComponent(credentials.passwords[role] ?? '')
      return address.href
    }
  }
}

/**
 * Keeps existing passwords, generates missing ones and stores the address.
 *
 * @throws UserError if there is data but no file, because its passwords are lost
 */
export async function prepareCredentials(
  { dataDirectory, address }: { readonly dataDirectory: string; readonly address: string },
  isNew: boolean
): Promise<DatabaseAccess> {
  const file = credentialsFileOf(dataDirectory)
  if (!isNew && !existsSync(file)) {
    throw new UserError(
      `The passwords of the database in ${dataDirectory} are lost (${file} is missing): restore the file, or delete all data with \`npm run reset\`.`
    )
  }
  const known = isNew ? {} : readCredentials(file).passwords
  const passwords = Object.fromEntries(
    [superuser, ...databaseRoles].map(role => [role, known[role] ?? randomBytes(32).toString('base64url')])
  )
  const credentials: DatabaseCredentials = { address, passwords }
  replaceFile(file, `${JSON.stringify(credentials, undefined, 2)}\n`, 0o600)
  return databaseAccess(file)
}
