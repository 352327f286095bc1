import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { type DatabaseRole, ownerRole } from '@orderly/postgres'
import { migrateAll } from '../../deploy/postgres/schemas.ts'
import { startPostgres } from '../components/postgres.ts'
import { freePort } from '../processes/ports.ts'
import { takeBaseBackup, takeOwner } from './base-backup.ts'
import { superviseRun } from './supervised-run.ts'

/** A separate Postgres for one test, which the test can lose and restore. It keeps its address. */
export interface TestDatabase {
  urlOf(role: DatabaseRole): string
  /** Copies the data while the server runs (base backup). */
  backUp(): Promise<void>
  /** Kills the server, replaces its data with the backup, and starts it again. */
  restore(): Promise<void>
}

/** Starts a Postgres with all schemas; it is stopped and its data is deleted when the test ends. */
export async function startDatabase(test: TestContext): Promise<TestDatabase> {
  const { directories, supervisor } = superviseRun(test, 'service')
  const port = await freePort()
  const dataDirectory = join(directories.data, 'postgres')
  const backup = join(directories.data, 'backup')
  const start = () => startPostgres({ supervisor, dataDirectory, port, durable: true })
  let postgres = await start()
  const { access } = postgres
  await migrateAll(access.urlOf(ownerRole), { logger: { info: () => {}, warn: () => {} } })
  return {
    urlOf: role => access.urlOf(role),
    backUp: () => takeBaseBackup(access.superuserURL(), dataDirectory, backup),
    async restore() {
      for (const process of postgres.processes) process.signal('SIGKILL')
      await Promise.all(postgres.processes.map(({ exited }) => exited))
      await rm(dataDirectory, { recursive: true, force: true })
      await cp(backup, dataDirectory, { recursive: true })
      await takeOwner(backup, dataDirectory)
      postgres = await start()
    }
  }
}
