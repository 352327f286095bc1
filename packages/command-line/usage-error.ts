/** Invalid arguments. The message says what is wrong and how to correct it. */
export class UsageError extends Error {
  /** EX_USAGE in sysexits.h. */
  readonly exitCode = 64
  override readonly name = 'UsageError'
}
