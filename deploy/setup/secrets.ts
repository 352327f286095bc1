/**
 * Generates the passwords of the compose file, each once. `ORDERLY_SECRETS` has a folder for each database role and for Grafana, and the
 * compose file mounts a volume for each folder. A container mounts only the volume of its role. With the argument `folders` it only
 * creates the folders, in the image: a new volume takes its owner from there.
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
  // Readable for the users of other images: who may read it is decided by who mounts the volume.
  const write = (name: string, text: string) => writeFileSync(file(name), text, { mode: 0o444 })
  if (role !== undefined) {
    const url = databaseURLOf({ address: 'postgres:5432', passwords: { [role]: password } }, role)
    write('database-url', url)
    write('registry.properties', `apicurio.datasource.username=${role}\napicurio.datasource.password=${password}\n`)
  }
  // Last: it says that the others are there.
  write('password', password)
}
