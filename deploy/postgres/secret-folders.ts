import { databaseRoles } from '@orderly/postgres'

/** Servers of the compose file whose HTTP API has TLS, one user and a generated password. */
export const securedServers = ['registry', 'connect'] as const
export const serverUser = 'orderly'

/** Folders of the compose file's secrets, with the database role whose password each contains. */
export const secretFolders: readonly { readonly folder: string; readonly role?: string }[] = [
  { folder: 'superuser', role: 'postgres' },
  ...[...databaseRoles, 'orderly_registry'].map(role => ({ folder: role.slice('orderly_'.length), role })),
  { folder: 'grafana' }
]

/** Folders with the key of a server and its users, and with what its clients need. */
export const serverFolders = (server: string) => ({ server: `${server}-server`, client: `${server}-client` })
