import type { Pool, PoolClient } from 'pg'
import type { Logger } from '../logger.ts'

export interface BackendWatch {
  /** Returns the sessions that were last observed blocking the watched session. */
  blockers(): string
  stop(): void
}

export interface WatchOptions {
  readonly logger: Logger
  readonly fields: object
  readonly everyMs?: number
  readonly logEveryMs?: number
}

/** Observes a session from another connection and periodically logs its progress and blockers. */
export async function watchBackend(
  pool: Pool,
  client: PoolClient,
  { logger, fields, everyMs = 1_000, logEveryMs = 10_000 }: WatchOptions
): Promise<BackendWatch> {
  const { rows } = await client.query('SELECT pg_backend_pid() AS pid')
  const startedAt = performance.now()
  let loggedAt = startedAt
  let blockers = ''
  let isLooking = false

  async function look(): Promise<void> {
    const [seen] = (await pool.query(observation, [rows[0]?.pid])).rows
    if (seen === undefined) return
    if (seen.blockers !== null) blockers = seen.blockers
    if (performance.now() - loggedAt < logEveryMs) return
    loggedAt = performance.now()
    const { blockers: blockedBy, phase, percent, waits_for: waitsFor } = seen
    const progress = { blockedBy, phase, percent, waitsFor }
    const known = Object.fromEntries(Object.entries(progress).filter(([, value]) => value !== null))
    const seconds = Math.round((performance.now() - startedAt) / 1_000)
    logger.info({ ...fields, seconds, ...known }, 'migration is running')
  }

  const timer = setInterval(() => {
    if (isLooking) return
    isLooking = true
    // A failed observation is ignored: if the database is unavailable, the migration itself fails.
    void look()
      .catch(() => {})
      .finally(() => {
        isLooking = false
      })
  }, everyMs)
  timer.unref()
  return { blockers: () => blockers || 'unknown', stop: () => clearInterval(timer) }
}

const observation = `SELECT
    (SELECT string_agg(concat_ws(' ', 'pid', blocker.pid, usename, nullif(application_name, '')), ', ')
      FROM pg_stat_activity AS blocker WHERE blocker.pid = ANY (pg_blocking_pids(activity.pid))) AS blockers,
    wait_event_type || ': ' || wait_event AS waits_for,
    phase,
    round(100.0 * blocks_done / nullif(blocks_total, 0)) AS percent
  FROM pg_stat_activity AS activity LEFT JOIN pg_stat_progress_create_index USING (pid) WHERE activity.pid = $1`
