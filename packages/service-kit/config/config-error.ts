/** An error for invalid settings. It is thrown before any resource is opened. */
export class ConfigError extends Error {
  readonly code = 'CONFIG_INVALID'
  readonly retryable = false
  /** Exit code of the process: EX_CONFIG of sysexits.h. */
  readonly exitCode = 78
  /** One line per invalid setting: its name, what is wrong, and how to fix it. */
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    const count = problems.length === 1 ? '1 setting is' : `${problems.length} settings are`
    super(`${count} wrong:\n${problems.map(problem => `  ${problem}`).join('\n')}`)
    this.name = 'ConfigError'
    this.problems = problems
  }
}
