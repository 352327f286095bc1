import pg from 'pg'
import { setUpRoles } from '../../deploy/postgres/schemas.ts'
import type { DatabaseAccess } from './postgres-credentials.ts'

/** Runs statements on a separate connection. @returns the rows of the last statement */
export async function query(url: string, statements: string): Promise<pg.QueryResult['rows']> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 3000 })
  client.on('error', () => {})
  try {
    await client.connect()
    const answer: unknown = await client.query(statements)
    return ((Array.isArray(answer) ? answer.at(-1) : answer) as pg.QueryResult).rows
  } finally {
    await client.end().catch(() => {})
  }
}

/** Creates the database if it is missing, and the roles with their privileges. */
export async function prepareDatabase(
  access: DatabaseAccess,
  database: string,
  { template, passwords }: { readonly template?: string; readonly passwords?: ReadonlyMap<string, string> } = {}
): Promise<void> {
  const name = pg.escapeIdentifier(database)
  const found = await query(
    access.superuserURL(),
    `SELECT FROM pg_database WHERE datname = ${pg.escapeLiteral(database)}`
  )
  if (found.length === 0) {
    const from = template === undefined ? '' : ` TEMPLATE ${pg.escapeIdentifier(template)}`
    await query(access.superuserURL(), `CREATE DATABASE ${name}${from}`)
  }
  await setUpRoles(access.superuserURL(database), passwords)
}
