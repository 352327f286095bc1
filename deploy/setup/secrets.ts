/**
 * Generates the passwords of the compose file, each once. `ORDERLY_SECRETS` has a folder for each
 * database role and for Grafana. The compose file has one volume per folder, and a container mounts
 * only the volume of its role. With the argument `folders` it only creates the folders, in the
 * image: a new volume inherits its owner from them.
 */
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { databaseURLOf } from '@orderly/service-kit'
import { secretFolders } from '../postgres/secret-folders.ts'

const directory = process.env.ORDERLY_SECRETS
if (directory === undefined) throw new Error('ORDERLY_SECRETS is not set: set it to the folder of the secrets')

for (const { folder, role } of secretFolders) {
  const file = (name: string) => join(directory, folder, name)
  mkdirSync(join(directory, folder), { recursive: true })
  if (process.argv[2] === 'folders' || existsSync(file('password'))) continue
  const password = randomBytes(32).toString('base64url')
  // Readable for the users of other images; access is controlled by mounting the volume.
  const write = (name: string, text: string) => writeFileSync(file(name), text, { mode: 0o444 })
  if (role !== undefined) {
    const url = databaseURLOf({ address: 'postgres:5432', passwords: { [role]: password } }, role)
    write('database-url', url)
    write('registry.properties', `apicurio.datasource.username=${role}\napicurio.datasource.password=${password}\n`)
  }
  // Written last: its presence means that the other files are complete.
  write('password', password)
}
