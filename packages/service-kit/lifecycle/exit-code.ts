/** EX_SOFTWARE: another instance has taken this one's place, so a supervisor need not hurry to start it again. */
const fencedExitCode = 70

/** The exit code that an error stands for: its own (`ConfigError`: 78), 70 when fenced, otherwise 1. */
export function exitCodeOf(error: unknown): number {
  const { exitCode, code } = (error ?? {}) as { exitCode?: unknown; code?: unknown }
  if (typeof exitCode === 'number') return exitCode
  return code === 'FENCED' ? fencedExitCode : 1
}
