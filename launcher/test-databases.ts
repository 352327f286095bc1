import { ownerRole } from '@orderly/postgres'
import { migrateAll } from '../deploy/postgres/schemas.ts'
import type { DatabaseAccess } from './components/postgres-credentials.ts'
import { prepareDatabase, query } from './components/postgres-database.ts'

/** Name of the template that the databases of tests are copied from. */
export const testTemplate = 'orderly_test_template'

/**
 * Creates the template with all schemas. In addition to its production privileges, the owner may
 * create tables in `public` and restore tables without foreign key checks.
 */
export async function prepareTestDatabases(access: DatabaseAccess): Promise<void> {
  await prepareDatabase(access, testTemplate)
  await query(
    access.superuserURL(testTemplate),
    `GRANT CREATE, USAGE ON SCHEMA public TO ${ownerRole}; GRANT SET ON PARAMETER session_replication_role TO ${ownerRole}`
  )
  await migrateAll(access.urlOf(ownerRole, testTemplate), { logger: { info: () => {}, warn: () => {} } })
  await query(access.superuserURL(), `ALTER DATABASE ${testTemplate} ALLOW_CONNECTIONS false`)
}
