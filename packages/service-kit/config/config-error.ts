/** The environment does not describe a service that could run. Nothing has been opened when it is thrown. */
export class ConfigError extends Error {
  readonly code = 'CONFIG_INVALID'
  readonly retryable = false
  /** EX_CONFIG of sysexits.h. */
  readonly exitCode = 78
  /** One line each: the setting's name and what to do. */
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    const count = problems.length === 1 ? '1 setting is' : `${problems.length} settings are`
    super(`${count} wrong:\n${problems.map(problem => `  ${problem}`).join('\n')}`)
    this.name = 'ConfigError'
    this.problems = problems
  }
}
