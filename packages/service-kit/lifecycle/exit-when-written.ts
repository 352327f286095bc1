/**
 * Exits once everything that was written to standard output and standard error has left the process. `process.exit()` discards what
 * a slow reader of a pipe has not taken yet, and still reports success.
 */
export async function exitWhenWritten(exitCode: number): Promise<never> {
  const flush = (stream: NodeJS.WriteStream) => new Promise(resolve => stream.write('', resolve))
  await Promise.all([flush(process.stdout), flush(process.stderr)])
  process.exit(exitCode)
}
