/** EX_SOFTWARE: another instance has taken this one's place, so a supervisor need not hurry to start it again. */
const fencedExitCode = 70

/** EX_DATAERR: Kafka or the database has lost data that an operator has to repair; starting again does not help. */
const dataLostExitCode = 65
const dataLostCodes = new Set<unknown>(['OFFSETS_MISSING', 'DATABASE_BEHIND'])

/** The exit code that an error stands for: its own (`ConfigError`: 78), 70 when fenced, 65 when data were lost, otherwise 1. */
export function exitCodeOf(error: unknown): number {
  const { exitCode, code } = (error ?? {}) as { exitCode?: unknown; code?: unknown }
  if (typeof exitCode === 'number') return exitCode
  if (dataLostCodes.has(code)) return dataLostExitCode
  return code === 'FENCED' ? fencedExitCode : 1
}
