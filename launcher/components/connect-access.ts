import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { replaceFile } from '@orderly/service-kit'
import { makePrivateDirectory } from '../private-directory.ts'
import { loopback } from '../processes/ports.ts'
import { UserError } from '../user-error.ts'

/**
 * Access to a worker's REST API. A connector can run any code as the user of the worker, so neither
 * other users of the machine nor web pages in a browser may create one.
 */
export interface ConnectAccess {
  /** Configuration of the login module, for `java.security.auth.login.config`. */
  readonly jaasFile: string
  /** Base of the REST API with user and password. */
  readonly workerURL: string
}

const user = 'orderly'

/** Directory of the worker's data below the launcher's. */
export const connectDirectory = (dataDirectory: string): string => join(dataDirectory, 'connect')

/**
 * Returns the access to the worker of a data directory. The first call generates the password, in a
 * file that only the user of the launcher can read.
 * @throws UserError if the file has no password
 */
export function connectAccess(dataDirectory: string, port: number): ConnectAccess {
  makePrivateDirectory(dataDirectory)
  const usersFile = join(dataDirectory, 'rest-users.properties')
  const jaasFile = join(dataDirectory, 'rest-jaas.conf')
  if (!existsSync(usersFile)) {
    const password = randomBytes(24).toString('base64url')
    replaceFile(usersFile, `${user}=${password}\n`, 0o600) // with an empty file, Connect would admit every request
  }
  const password = readFileSync(usersFile, 'utf8').trim().slice(`${user}=`.length)
  if (password === '') throw new UserError(`${usersFile} has no password: delete it, the next start generates one.`)
  const module = 'org.apache.kafka.connect.rest.basic.auth.extension.PropertyFileLoginModule'
  writeFileSync(jaasFile, `KafkaConnect { ${module} required file=${JSON.stringify(usersFile)}; };\n`)
  return { jaasFile, workerURL: `http://${user}:${password}@${loopback}:${port}` }
}
