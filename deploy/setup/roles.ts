/**
 * Creates the database roles of the compose file with the passwords from `secrets.ts`. Idempotent.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setUpRoles } from '../postgres/schemas.ts'
import { secretFolders } from '../postgres/secret-folders.ts'

const read = (folder: string, file: string) =>
  readFileSync(join(process.env.ORDERLY_SECRETS ?? '', folder, file), 'utf8').trim()

const passwords = secretFolders.flatMap(({ folder, role }) =>
  role?.startsWith('orderly_') ? [[role, read(folder, 'password')] as const] : []
)
await setUpRoles(read('superuser', 'database-url'), new Map(passwords))
