import { setTimeout as delay } from 'node:timers/promises'
import { PartFailed } from '../refusal.ts'
import { describeExit, lastLines, type SupervisedProcess } from './supervisor.ts'

export interface WaitOptions {
  /** What is waited for, as the end of "no sign within 30 s of …". */
  readonly what: string
  readonly deadlineMs: number
  readonly intervalMs?: number
  readonly signal?: AbortSignal
}

/** Asks again and again until `check` neither returns false nor rejects. */
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
  throw new Error(`No sign within ${options.deadlineMs / 1000} s of ${options.what}`, { cause })
}

/** Waits until a process answers; rejects at once, with the end of its log, when it ends instead. */
export async function waitUntilHealthy(
  child: SupervisedProcess,
  check: () => boolean | Promise<boolean>,
  deadlineMs: number
): Promise<void> {
  const stopWaiting = new AbortController()
  const ended = child.exited.then(async exit => {
    throw new PartFailed(
      `${child.name} ended (${describeExit(exit)}) before it was healthy; the end of ${child.logFile}:\n${await lastLines(child.logFile)}`
    )
  })
  const healthy = waitUntil(check, { what: `${child.name} being healthy`, deadlineMs, signal: stopWaiting.signal })
  try {
    await Promise.race([healthy, ended])
  } catch (error) {
    if (!child.isRunning()) throw error
    throw new PartFailed(`${(error as Error).message}; its log is ${child.logFile}`)
  } finally {
    stopWaiting.abort()
    healthy.catch(() => {})
    ended.catch(() => {})
  }
}
