import { setTimeout as delay } from 'node:timers/promises'
import { ProcessFailedError } from '../user-error.ts'
import { describeExit, type SupervisedProcess } from './supervisor.ts'

export interface WaitOptions {
  /** Condition, as the end of "timed out after 30 s waiting for …". */
  readonly what: string
  readonly deadlineMs: number
  readonly intervalMs?: number
  readonly signal?: AbortSignal
}

/** Polls until `check` neither returns false nor rejects. */
export async function waitUntil(check: () => boolean | Promise<boolean>, options: WaitOptions): Promise<void> {
  const deadline = Date.now() + options.deadlineMs
  let cause: unknown
  while (Date.now() < deadline) {
    options.signal?.throwIfAborted()
    try {
      if (await check()) return
    } catch (error) {
      cause = error
    }
    await delay(options.intervalMs ?? 50, undefined, { ref: true })
  }
  throw new Error(`Timed out after ${options.deadlineMs / 1000} s waiting for ${options.what}`, { cause })
}

/**
 * Waits until a process is healthy. Rejects immediately, with the end of its log, if it ends
 * instead.
 */
export async function waitUntilHealthy(
  child: SupervisedProcess,
  check: () => boolean | Promise<boolean>,
  deadlineMs: number
): Promise<void> {
  const stopWaiting = new AbortController()
  const ended = child.exited.then(async exit => {
    throw new ProcessFailedError(
      `${child.name} ended (${describeExit(exit)}) before it was healthy; the end of ${child.logFile}:\n${await child.lastLines()}`
    )
  })
  const healthy = waitUntil(check, { what: `${child.name} to be healthy`, deadlineMs, signal: stopWaiting.signal })
  try {
    await Promise.race([healthy, ended])
  } catch (error) {
    if (!child.isRunning()) throw error
    throw new ProcessFailedError(`${(error as Error).message}; log: ${child.logFile}`)
  } finally {
    stopWaiting.abort()
    healthy.catch(() => {})
    ended.catch(() => {})
  }
}
