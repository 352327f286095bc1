import { randomBytes } from 'node:crypto'
import { type DatabaseRole, ownerRole } from '@orderly/postgres'
import { databaseAccess } from '../components/postgres-credentials.ts'
import { prepareDatabase, query } from '../components/postgres-database.ts'
import type { AnyServiceName } from '../services.ts'
import { testTemplate } from '../test-databases.ts'
import { variableNames } from '../test-variables.ts'

export interface IntegrationEnvironment {
  readonly kafkaBrokers: string[]
  readonly registryURL: string
  /**
   * Creates a database for one test, with all schemas.
   * @returns its address for the owner of the schemas
   */
  databaseURL(): Promise<string>
  /** Returns the address of the same database for another role. */
  databaseURLAs(role: DatabaseRole, url: string): string
  /** Returns the address of the same database for the superuser. */
  superuserURL(url: string): string
  /** Runs statements as the superuser in the database of this address. */
  asSuperuser(url: string, statements: string): ReturnType<typeof query>
}

/**
 * Returns the servers that the test runner started for this run.
 * @throws Error if the file runs without the test runner
 */
export function integrationEnvironment(): IntegrationEnvironment {
  const access = databaseAccess(variable(variableNames.databaseCredentials))
  const superuserURL = (url: string) => access.superuserURL(new URL(url).pathname.slice(1))
  return {
    kafkaBrokers: variable(variableNames.kafkaBrokers).split(','),
    registryURL: variable(variableNames.registryURL),
    async databaseURL() {
      const name = `test_${randomBytes(6).toString('hex')}`
      await prepareDatabase(access, name, { template: testTemplate })
      return access.urlOf(ownerRole, name)
    },
    databaseURLAs: access.as,
    superuserURL,
    asSuperuser: (url, statements) => query(superuserURL(url), statements)
  }
}

/**
 * Replaces the owner's address of a test database with the address for the role of a service or
 * operator.
 */
export function withOwnRole(name: AnyServiceName | 'operator', env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { DATABASE_URL } = env
  const file = process.env[variableNames.databaseCredentials]
  if (file === undefined || !DATABASE_URL?.startsWith(`postgres://${ownerRole}:`)) return env
  return { ...env, DATABASE_URL: databaseAccess(file).as(`orderly_${name}`, DATABASE_URL) }
}

function variable(name: string): string {
  const value = process.env[name]
  if (value === undefined)
    throw new Error('This needs real servers: run it with `npm run test:int -- <part of the path>`')
  return value
}
