import { randomBytes } from 'node:crypto'
import { query } from '../parts/postgres.ts'
import { variableNames } from '../test-variables.ts'

export interface IntegrationEnvironment {
  readonly kafkaBrokers: string[]
  readonly registryURL: string
  /** Creates a database that nobody else knows. */
  databaseURL(): Promise<string>
}

/** The servers that the test runner started for this run. @throws Error when a file was run without it. */
export function integrationEnvironment(): IntegrationEnvironment {
  const server = variable(variableNames.databaseURL)
  return {
    kafkaBrokers: variable(variableNames.kafkaBrokers).split(','),
    registryURL: variable(variableNames.registryURL),
    async databaseURL() {
      const name = `test_${randomBytes(6).toString('hex')}`
      await query(server, `create database ${name}`)
      const url = new URL(server)
      url.pathname = `/${name}`
      return url.href
    }
  }
}

function variable(name: string): string {
  const value = process.env[name]
  if (value === undefined)
    throw new Error('This needs real servers: run it with `npm run test:int -- <part of the path>`')
  return value
}
