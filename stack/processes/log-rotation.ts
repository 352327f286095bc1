import { copyFile, rename, stat, truncate } from 'node:fs/promises'

export interface LogLimits {
  /** Size from which a log file is rotated at the next check. */
  readonly maxBytes: number
  readonly checkEveryMs: number
}

/**
 * Limits of `npm start`: a log takes at most about twice `maxBytes`, plus the output between two
 * checks.
 */
export const usualLogLimits: LogLimits = { maxBytes: 16 * 1024 * 1024, checkEveryMs: 2_000 }

/**
 * Rotates the given files: `kafka.log` is copied to `kafka.log.1`, which replaces the previous one,
 * and truncated. The file cannot be renamed instead, because its process keeps it open. A process
 * appends (O_APPEND), so it continues at the beginning after the truncation. Lines written between
 * copy and truncation are lost.
 * @returns a function that stops the rotation
 */
export function rotateLogs(files: ReadonlySet<string>, { maxBytes, checkEveryMs }: LogLimits): () => Promise<void> {
  let rotation = Promise.resolve()
  const timer = setInterval(() => {
    rotation = rotation.then(() => rotateLarge(files, maxBytes))
  }, checkEveryMs)
  timer.unref()
  return () => {
    clearInterval(timer)
    return rotation
  }
}

async function rotateLarge(files: ReadonlySet<string>, maxBytes: number): Promise<void> {
  for (const file of files) {
    try {
      if ((await stat(file)).size < maxBytes) continue
      await copyFile(file, `${file}.new`)
      await rename(`${file}.new`, `${file}.1`)
      await truncate(file)
    } catch (error) {
      // Without space for a copy, the log is truncated so that it does not grow.
      if (['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '')) await truncate(file)
    }
  }
}
