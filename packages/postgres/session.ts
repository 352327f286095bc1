import type { ClientBase } from 'pg'
import { PostgresError } from './errors.ts'

/**
 * A verified session. `openSession` applies the settings that the stores rely on and verifies the
 * session, in one round trip of two statements.
 *
 * Settings are applied after connecting, because poolers drop or refuse startup parameters, and
 * `options` in an address would override them. Two settings are verified but not set, because
 * operators may choose a stronger value, and a weaker one is a mistake that must be visible:
 *
 * - `synchronous_commit` must be `on` or `remote_apply`. A committed transaction must survive a
 *   crash of the server and, with a synchronous standby, a failover. Otherwise stock is sold twice.
 * - The isolation must be READ COMMITTED. A statement that waited for a lock must see the changes
 *   of the previous holder.
 *
 * Both are then pinned for the session, so a configuration change applies to new sessions only. A
 * session that cannot write (a standby, a read-only database) is refused with a transient error,
 * because a failover may be in progress.
 */
export interface Session {
  /** True if the connection goes through a pooler. */
  readonly isPooled: boolean
}

const durable = ['on', 'remote_apply']

/**
 * Applies the settings and verifies the session.
 * @throws PostgresError with the code `SESSION_REFUSED` or `READ_ONLY`
 */
export async function openSession(
  client: ClientBase & { readonly processID?: number | null },
  settings: Readonly<Record<string, string>>
): Promise<Session> {
  const names = Object.keys(settings)
  const [applied, seen] = await Promise.all([
    client.query<{ name: string; value: string }>(apply, [JSON.stringify(settings)]),
    client.query<Observation>(observe, [names])
  ])
  const [facts] = seen.rows
  if (facts === undefined)
    throw new PostgresError('SESSION_REFUSED', 'the database returned no settings of the session')
  const kept = new Map(Object.entries(facts.kept ?? {}))
  if (applied.rows.some(({ name, value }) => kept.get(name) !== value)) throw notASession()
  if (!durable.includes(facts.synchronous_commit)) throw await notDurable(client, facts.synchronous_commit)
  if (facts.isolation !== 'read committed') {
    throw refused(
      `default_transaction_isolation is ${facts.isolation}: set it to read committed for this database and role`
    )
  }
  if (facts.is_standby || facts.is_read_only) {
    const why = facts.is_standby ? 'is a standby' : 'is read-only'
    throw new PostgresError(
      'READ_ONLY',
      `the database ${why}: connect to the primary, or wait for a failover to finish`
    )
  }
  return { isPooled: client.processID !== facts.pid }
}

interface Observation {
  readonly pid: number
  readonly kept: Readonly<Record<string, string>> | null
  readonly synchronous_commit: string
  readonly isolation: string
  readonly is_standby: boolean
  readonly is_read_only: boolean
}

const apply = 'SELECT name, set_config(name, value, false) AS value FROM json_each_text($1) AS given (name, value)'

const pinned = (name: string, accepted: readonly string[]) => {
  const list = accepted.map(value => `'${value}'`).join(', ')
  return `CASE WHEN current_setting('${name}') IN (${list}) THEN set_config('${name}', current_setting('${name}'), false)
    ELSE current_setting('${name}') END`
}

const observe = `SELECT pg_backend_pid() AS pid, pg_is_in_recovery() AS is_standby,
  current_setting('transaction_read_only') = 'on' AS is_read_only,
  (SELECT json_object_agg(name, current_setting(name)) FROM unnest($1::text[]) AS name) AS kept,
  ${pinned('synchronous_commit', durable)} AS synchronous_commit,
  ${pinned('default_transaction_isolation', ['read committed'])} AS isolation`

const sources: Readonly<Record<string, string>> = {
  client: 'options in the address of the database',
  'configuration file': "the server's configuration",
  'command line': "the server's command line",
  database: 'ALTER DATABASE',
  user: 'ALTER ROLE',
  'database user': 'ALTER ROLE … IN DATABASE'
}

async function notDurable(client: ClientBase, value: string): Promise<PostgresError> {
  const { rows } = await client.query("SELECT source FROM pg_settings WHERE name = 'synchronous_commit'")
  const source = sources[rows[0]?.source] ?? rows[0]?.source
  return refused(
    `synchronous_commit is ${value} (by ${source}), so a crash could lose committed data: set it to on or remote_apply`
  )
}

function refused(why: string): PostgresError {
  return new PostgresError('SESSION_REFUSED', why)
}

export function notASession(): PostgresError {
  return refused(
    'the database is behind a pooler that does not keep a session between transactions (transaction or statement mode): use session mode (pool_mode = session in PgBouncer) or the address of the server'
  )
}
