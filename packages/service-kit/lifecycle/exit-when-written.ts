/**
 * Exits once all output to standard output and standard error has been flushed. `process.exit()`
 * alone discards output that a slow reader of a pipe has not read yet.
 */
export async function exitWhenWritten(exitCode: number): Promise<never> {
  const flush = (stream: NodeJS.WriteStream) => new Promise(resolve => stream.write('', resolve))
  await Promise.all([flush(process.stdout), flush(process.stderr)])
  process.exit(exitCode)
}
