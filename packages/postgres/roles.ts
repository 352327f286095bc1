import pg, { type PoolClient } from 'pg'

/**
 * The database roles of Orderly. `deploy/postgres/roles.sql` creates them.
 *
 * `orderly_owner` owns every schema and runs `orderly migrate`. Each other role is used by one
 * program at run time and owns nothing. Its privileges are declared next to the migrations of each
 * schema.
 */
export const databaseRoles = [
  'orderly_owner',
  'orderly_order',
  'orderly_inventory',
  'orderly_notification',
  'orderly_aggregator',
  'orderly_monitor',
  'orderly_connect',
  'orderly_operator'
] as const

export type DatabaseRole = (typeof databaseRoles)[number]
export const ownerRole = 'orderly_owner'
export type RuntimeRole = Exclude<DatabaseRole, typeof ownerRole>

/**
 * The privileges of each role in a schema, per object, in the syntax of `GRANT`. An object is a
 * table of the schema, `sequence NAME`, or `schema` for the schema itself:
 *
 *     { orderly_inventory: { stock: 'SELECT, INSERT, UPDATE', 'sequence stock_seq': 'USAGE' } }
 *
 * Each named role may also use the schema and read its table `migrations`. All other privileges are
 * revoked.
 */
export type Grants = Readonly<Partial<Record<RuntimeRole, Readonly<Record<string, string>>>>>

/** A schema of the database: its name, its migrations and its privileges. */
export interface DatabaseSchema {
  readonly schema: string
  /**
   * Directory of SQL files `0001_what-it-does.sql`, `0002_…`. Undefined if another program creates
   * the tables.
   */
  readonly directory?: string
  readonly grants?: Grants
}

/**
 * Sets the privileges in a schema to exactly the declared ones, for the roles that exist in this
 * cluster.
 */
export async function applyGrants(
  client: PoolClient,
  { schema, directory, grants = {} }: DatabaseSchema
): Promise<void> {
  const { rows: found } = await client.query(
    'SELECT rolname FROM pg_roles WHERE rolname = ANY($1) AND rolname <> current_user',
    [databaseRoles.filter(role => role !== ownerRole)]
  )
  const roles: RuntimeRole[] = found.map(({ rolname }) => rolname)
  if (roles.length === 0) return
  const quoted = pg.escapeIdentifier(schema)
  // Skips tables with another owner: the Kafka Connect sink owns its tables and grants their
  // privileges itself.
  const { rows: owned } = await client.query(
    `SELECT relkind = 'S' AS is_sequence, pg_class.oid::regclass::text AS name
      FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace AND nspowner = relowner
      WHERE nspname = $1 AND relkind IN ('r', 'p', 'v', 'm', 'S')`,
    [schema]
  )
  const objects = [
    `SCHEMA ${quoted}`,
    ...owned.map(({ is_sequence, name }) => `${is_sequence ? 'SEQUENCE' : 'TABLE'} ${name}`)
  ]
  const grantees = Object.entries(grants).filter(([role]) => roles.includes(role as RuntimeRole))
  const statements = [
    ...objects.map(object => `REVOKE ALL ON ${object} FROM ${roles.join(', ')}`),
    ...grantees.flatMap(([role, privileges]) => [
      `GRANT USAGE ON SCHEMA ${quoted} TO ${role}`,
      ...(directory === undefined ? [] : [`GRANT SELECT ON ${quoted}.migrations TO ${role}`]),
      ...Object.entries(privileges).map(([object, list]) => `GRANT ${list} ON ${objectOf(quoted, object)} TO ${role}`)
    ])
  ]
  for (const statement of statements) await client.query(statement)
}

function objectOf(schema: string, object: string): string {
  if (object === 'schema') return `SCHEMA ${schema}`
  const [, sequence] = /^sequence (.+)$/.exec(object) ?? []
  const kind = sequence === undefined ? 'TABLE' : 'SEQUENCE'
  return `${kind} ${schema}.${pg.escapeIdentifier(sequence ?? object)}`
}
