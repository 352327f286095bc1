/**
 * EX_SOFTWARE: another instance has replaced this one, so a supervisor need not restart it
 * immediately.
 */
const fencedExitCode = 70

/**
 * EX_DATAERR: Kafka or the database has lost data. An operator must repair it; a restart does not
 * help.
 */
const dataLostExitCode = 65
const dataLostCodes = new Set<unknown>(['OFFSETS_MISSING', 'DATABASE_BEHIND'])

/**
 * Returns the exit code for an error: its own `exitCode` (`ConfigError`: 78), 70 when fenced, 65
 * after data loss, otherwise 1.
 */
export function exitCodeOf(error: unknown): number {
  const { exitCode, code } = (error ?? {}) as { exitCode?: unknown; code?: unknown }
  if (typeof exitCode === 'number') return exitCode
  if (dataLostCodes.has(code)) return dataLostExitCode
  return code === 'FENCED' ? fencedExitCode : 1
}
