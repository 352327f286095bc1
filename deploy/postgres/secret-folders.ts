import { databaseRoles } from '@orderly/postgres'

/** Folders of the compose file's secrets, with the database role whose password each contains. */
export const secretFolders: readonly { readonly folder: string; readonly role?: string }[] = [
  { folder: 'superuser', role: 'postgres' },
  ...[...databaseRoles, 'orderly_registry'].map(role => ({ folder: role.slice('orderly_'.length), role })),
  { folder: 'grafana' }
]
