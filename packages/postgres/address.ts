import { PostgresError } from './errors.ts'

/**
 * Supported URL parameters: how to reach the server, and server settings. This package sets
 * everything else.
 */
const parameters = [
  'host',
  'options',
  'ssl',
  'sslcert',
  'sslkey',
  'sslmode',
  'sslnegotiation',
  'sslrootcert',
  'uselibpqcompat'
]

/**
 * Checks the address of a database. Error messages never contain the address, because it includes
 * the password.
 *
 * @throws PostgresError with the code `ADDRESS_INVALID`
 */
export function checkAddress(address: string): void {
  // Checked before parsing, because several hosts with ports are not a valid URL.
  const [, hosts = ''] = /^[a-z]+:\/\/(?:[^/?#]*@)?([^/?#]*)/i.exec(address) ?? []
  if (hosts.includes(',')) throw severalHosts()
  // A user without a host is not a valid URL either, but is allowed with the parameter `host`.
  const url = URL.parse(address.replace('@/', '@localhost/'))
  if (url === null) {
    throw invalid(
      'is not a valid URL: write postgres://user:password@host:5432/name, and percent-encode special characters of user and password (%40 for @, %2F for /, %23 for #)'
    )
  }
  if (url.searchParams.get('host')?.includes(',')) throw severalHosts()
  const unknown = [...url.searchParams.keys()].find(name => !parameters.includes(name))
  if (unknown !== undefined) {
    throw invalid(
      `has the parameter ${unknown}, which is not supported: remove it (supported are ${parameters.join(', ')})`
    )
  }
}

function severalHosts(): PostgresError {
  return invalid(
    'names several hosts, which is not supported: use one host that leads to the primary, such as a proxy, a virtual IP address or a DNS name'
  )
}

function invalid(what: string): PostgresError {
  return new PostgresError('ADDRESS_INVALID', `the address of the database ${what}`)
}
