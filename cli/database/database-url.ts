import { UsageError } from '@orderly/command-line'
import { databaseRoles } from '@orderly/postgres'
import { localDatabaseURL } from '@orderly/service-kit'
import { type Command, Failure } from '../command-line/command.ts'

const prefix = 'orderly_'
const names = databaseRoles.map(role => role.slice(prefix.length))

/**
 * Prints the address of the local database, as in `psql "$(npm run --silent orderly -- database url
 * inventory)"`.
 */
export const showDatabaseURL: Command = {
  name: 'database url',
  summary: `print the address of the database of npm start with the password of a role (default operator): ${names.join(', ')}`,
  argument: '[ROLE]',
  examples: ['database url', 'database url inventory'],
  options: {},
  async run({ argument: name = 'operator', output }) {
    if (!names.includes(name)) throw new UsageError(`"${name}" is not a role: give one of ${names.join(', ')}.`)
    const url = localDatabaseURL(prefix + name)
    if (url === undefined) throw new Failure('The database of `npm start` was not found: start it once.')
    output.json({ url })
    output.line(url)
    return 0
  }
}
