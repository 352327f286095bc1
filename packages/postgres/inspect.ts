import pg from 'pg'
import { checkAddress } from './address.ts'
import { PostgresError } from './errors.ts'
import { checkPooling } from './pooling.ts'
import { openSession } from './session.ts'

/** A property of the database that operators should know, with a recommended action. */
export interface DatabaseFinding {
  readonly severity: 'problem' | 'hint'
  readonly what: string
  readonly todo: string
}

/** Observed settings of the server and of a new session. */
export interface DatabaseFacts {
  readonly settings: Readonly<Record<SettingName, string>>
  /** Name of the database, quoted as SQL needs it. */
  readonly database: string
  readonly isStandby: boolean
  readonly isSuperuser: boolean
  /**
   * `sync_state` of each standby that streams from this server; null if the role may not see it.
   */
  readonly standbys: readonly (string | null)[]
  /** Settings of `ALTER ROLE … SET` and `ALTER DATABASE … SET`, with the statement that resets them. */
  readonly overrides: readonly { readonly owner: string; readonly setting: string; readonly alter: string }[]
  /** Difference between the server's clock and the local one; negative if the server is behind. */
  readonly clockAheadMs: number
  /** Reason why a service would refuse a session; undefined if it would not. */
  readonly refusal: string | undefined
}

const settingNames = [
  'client_encoding',
  'default_transaction_isolation',
  'default_transaction_read_only',
  'fsync',
  'full_page_writes',
  'server_encoding',
  'synchronous_commit',
  'synchronous_standby_names',
  'TimeZone'
] as const
type SettingName = (typeof settingNames)[number]

/**
 * Inspects a database and reports deviations from what the services need.
 * @throws connection and query errors unchanged
 */
export async function inspectDatabase(url: string): Promise<DatabaseFinding[]> {
  return diagnoseDatabase(await readFacts(url))
}

const maxClockDifferenceMs = 10_000
const utc = /^(Etc\/)?(UTC|UCT|GMT|Universal|Zulu|Greenwich)$/i
/** Settings on which services rely, and which must not be overridden for a role or database. */
const reliedOn = /^(synchronous_commit|default_transaction_isolation|default_transaction_read_only)=/

export function diagnoseDatabase(facts: DatabaseFacts): DatabaseFinding[] {
  const { settings, standbys } = facts
  const found: DatabaseFinding[] = []
  const problem = (what: string, todo: string) => void found.push({ severity: 'problem', what, todo })
  const hint = (what: string, todo: string) => void found.push({ severity: 'hint', what, todo })

  if (facts.refusal !== undefined) {
    const [, what = facts.refusal, todo = 'restore the settings of docs/guides/deploy.md'] =
      /^(.*?): (.*)$/s.exec(facts.refusal) ?? []
    problem(`services cannot use it: ${what}`, todo)
  }
  for (const name of ['fsync', 'full_page_writes'] as const) {
    if (settings[name] !== 'off') continue
    problem(
      `${name} is off: a crash of its machine can lose or corrupt committed data`,
      `run ALTER SYSTEM SET ${name} = on, and reload its configuration`
    )
  }
  if (settings.server_encoding !== 'UTF8') {
    const what = `its encoding is ${settings.server_encoding}, so some names and SKUs cannot be stored`
    problem(what, 'create a new database with ENCODING UTF8 and move the data there')
  }
  if (settings.client_encoding !== 'UTF8') {
    problem(
      `sessions start with client_encoding ${settings.client_encoding}`,
      'set client_encoding to UTF8 in the pooler and with ALTER ROLE'
    )
  }
  for (const { owner, setting, alter } of facts.overrides) {
    if (reliedOn.test(setting))
      problem(`${owner} overrides ${setting}`, `reset it: ${alter} RESET ${setting.split('=')[0]}`)
  }
  if (settings.synchronous_standby_names === '') {
    if (standbys.length > 0) {
      hint(
        'its standby is asynchronous: a failover can lose the latest commits',
        'set synchronous_standby_names, or be prepared for services that detect the loss (docs/guides/back-up.md)'
      )
    }
  } else if (standbys.every(state => state === 'async')) {
    problem(
      'every commit waits for a synchronous standby, and none is connected',
      'restart the standby, or change synchronous_standby_names'
    )
  }
  if (!utc.test(settings.TimeZone)) {
    hint(
      `its time zone is ${settings.TimeZone}`,
      `run ALTER DATABASE ${facts.database} SET TimeZone = 'UTC', so that manual queries show the times of the services`
    )
  }
  if (Math.abs(facts.clockAheadMs) > maxClockDifferenceMs) {
    const seconds = Math.round(facts.clockAheadMs / 1_000)
    problem(
      `its clock differs from this machine's by ${seconds} s, and leases and holds use both`,
      'synchronise the clocks (NTP)'
    )
  }
  if (facts.isSuperuser) {
    hint('the address is that of a superuser', 'use the role orderly_operator (deploy/postgres/roles.sql)')
  }
  return found
}

async function readFacts(url: string): Promise<DatabaseFacts> {
  checkAddress(url)
  const connect = async () => {
    const client = new pg.Client({
      ...{ connectionString: url, application_name: 'orderly-doctor', connectionTimeoutMillis: 20_000 },
      query_timeout: 20_000
    })
    client.on('error', () => {})
    await client.connect()
    return client
  }
  const client = await connect()
  try {
    const askedAtMs = Date.now()
    const { rows } = await client.query(observation, [settingNames])
    const answeredAtMs = Date.now()
    const [row] = rows
    const refusal = await openSession(client, { statement_timeout: '20000' })
      .then(async session => {
        if (session.isPooled) await checkPooling(connect)
        return undefined
      })
      .catch(error => {
        if (error instanceof PostgresError) return error.message
        throw error
      })
    return {
      settings: row.settings,
      database: row.database,
      isStandby: row.is_standby,
      isSuperuser: row.is_superuser,
      standbys: row.standbys ?? [],
      overrides: row.overrides ?? [],
      clockAheadMs: Number(row.now_ms) - (askedAtMs + answeredAtMs) / 2,
      refusal
    }
  } finally {
    await client.end().catch(() => {})
  }
}

const observation = `SELECT
  (SELECT json_object_agg(name, current_setting(name)) FROM unnest($1::text[]) AS name) AS settings,
  quote_ident(current_database()) AS database,
  pg_is_in_recovery() AS is_standby,
  (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS is_superuser,
  (SELECT json_agg(sync_state) FROM pg_stat_replication) AS standbys,
  (SELECT json_agg(json_build_object('owner', CASE
      WHEN setrole = 0 THEN 'the database'
      ELSE 'the role ' || setrole::regrole END, 'setting', setting, 'alter', CASE
      WHEN setrole = 0 AND setdatabase = 0 THEN 'ALTER ROLE ALL'
      WHEN setrole = 0 THEN format('ALTER DATABASE %I', current_database())
      WHEN setdatabase = 0 THEN format('ALTER ROLE %s', setrole::regrole)
      ELSE format('ALTER ROLE %s IN DATABASE %I', setrole::regrole, current_database()) END))
    FROM pg_db_role_setting, unnest(setconfig) AS setting
    WHERE setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
      AND (setrole = 0 OR setrole::regrole::text LIKE 'orderly\\_%')) AS overrides,
  extract(epoch FROM clock_timestamp()) * 1000 AS now_ms`
