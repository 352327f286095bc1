import { copyFile, readFile, rename, stat, truncate } from 'node:fs/promises'

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

/** Part of a log file, and of the file that it was rotated to, that belongs to one process. */
export interface LogSpan {
  /** Offset of the first byte in `kafka.log`. */
  start: number
  /** Offset of the first byte in `kafka.log.1`; undefined if the process wrote nothing there. */
  rotatedStart?: number | undefined
}

/**
 * Rotates the given files, and moves the span of each: `kafka.log` is copied to `kafka.log.1`,
 * which replaces the previous one, and truncated. The file cannot be renamed instead, because its
 * process keeps it open. A process appends (O_APPEND), so it continues at the beginning after the
 * truncation. Lines written between copy and truncation are lost.
 * @returns a function that stops the rotation
 */
export function rotateLogs(
  files: ReadonlyMap<string, LogSpan>,
  { maxBytes, checkEveryMs }: LogLimits
): () => Promise<void> {
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

async function rotateLarge(files: ReadonlyMap<string, LogSpan>, maxBytes: number): Promise<void> {
  for (const [file, span] of files) {
    try {
      if ((await stat(file)).size < maxBytes) continue
      await copyFile(file, `${file}.new`)
      await rename(`${file}.new`, `${file}.1`)
      await truncate(file)
      Object.assign(span, { start: 0, rotatedStart: span.start })
    } catch (error) {
      // Without space for a copy, the log is truncated so that it does not grow.
      if (!['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '')) continue
      await truncate(file).catch(() => {}) // the next check tries again
      Object.assign(span, { start: 0, rotatedStart: undefined })
    }
  }
}

/** Returns the last lines of a span. */
export async function lastLinesOf(file: string, { start, rotatedStart }: LogSpan, count: number): Promise<string> {
  const read = async (name: string, from: number) => (await readFile(name).catch(() => Buffer.of())).subarray(from)
  const rotated = rotatedStart === undefined ? [] : [await read(`${file}.1`, rotatedStart)]
  const text = Buffer.concat([...rotated, await read(file, start)]).toString()
  return text.trimEnd().split('\n').slice(-count).join('\n')
}
