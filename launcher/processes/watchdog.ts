import { spawn } from 'node:child_process'
import { join } from 'node:path'

/**
 * A process that outlives a killed launcher only until it has stopped everything that the launcher
 * started.
 */
export interface Watchdog {
  readonly pid: number
  watch(pid: number, stopSignal: 'SIGTERM' | 'SIGINT'): void
  forget(pid: number): void
  /**
   * Ends the watchdog, which stops everything that is still watched. Resolves when it has ended.
   */
  close(): Promise<void>
}

export function startWatchdog(): Watchdog {
  const child = spawn('/bin/sh', [join(import.meta.dirname, 'watchdog.sh')], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore']
  })
  const { promise: ended, resolve } = Promise.withResolvers<void>()
  child.unref()
  child.once('exit', () => resolve())
  child.once('error', () => resolve())
  const input = child.stdin
  input.on('error', () => {})
  return {
    pid: child.pid ?? 0,
    watch: (pid, stopSignal) => void input.write(`watch ${pid} ${stopSignal.slice('SIG'.length)}\n`),
    forget: pid => void input.write(`forget ${pid}\n`),
    async close() {
      child.ref()
      input.end()
      await ended
    }
  }
}
