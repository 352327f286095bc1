import { spawn } from 'node:child_process'
import { closeSync, fstatSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { ProcessFailedError } from '../user-error.ts'
import { type LogLimits, type LogSpan, lastLinesOf, rotateLogs } from './log-rotation.ts'
import { startWatchdog } from './watchdog.ts'

/**
 * Order of stopping: services before the servers they use, and servers before their coordinators.
 */
export type Tier = 'coordinator' | 'server' | 'service'

export interface ProcessSpec {
  readonly name: string
  readonly tier?: Tier
  readonly command: string
  readonly args: readonly string[]
  readonly cwd?: string
  readonly env?: NodeJS.ProcessEnv
  /** Destination of its output: the log file (default) or that of this process. */
  readonly output?: 'log' | 'inherit'
  readonly user?: { readonly uid: number; readonly gid: number }
  readonly stopSignal?: 'SIGTERM' | 'SIGINT'
  /**
   * True if it forwards the signal to its children itself. A signal to the group would reach them
   * twice, and the second one forces a stop.
   */
  readonly passesStopSignal?: boolean
  /** Time until the process group is killed. */
  readonly stopDeadlineMs?: number
}

export interface ProcessExit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface SupervisedProcess {
  readonly name: string
  readonly pid: number
  readonly logFile: string
  readonly exited: Promise<ProcessExit>
  /** Returns the last lines that this process wrote, without those of earlier processes. */
  lastLines(count?: number): Promise<string>
  isRunning(): boolean
  signal(signal: NodeJS.Signals): void
  /** Stops the process and kills it at the deadline. Resolves when it has ended. */
  stop(): Promise<ProcessExit>
}

/**
 * Starts processes, each in a separate process group with its own log file. Leaves none behind,
 * even if this process is killed.
 */
export interface Supervisor {
  /** Process id of the watchdog, which stops everything started here if this process is killed. */
  readonly watchdogPID: number
  /** Starts a process. @throws Error once `stop` was called */
  start(spec: ProcessSpec): SupervisedProcess
  /**
   * Stops all running processes, services before the servers they use, and the watchdog. Resolves
   * when all have ended. Nothing can be started afterwards.
   */
  stop(): Promise<void>
}

/**
 * Creates a supervisor.
 * @param logLimits limits for log rotation; without them log files grow without limit
 */
export function createSupervisor(logDirectory: string, logLimits?: LogLimits): Supervisor {
  const watchdog = startWatchdog()
  const running = new Set<{ tier: Tier; process: SupervisedProcess }>()
  const logFiles = new Map<string, LogSpan>()
  const stopRotation = logLimits && rotateLogs(logFiles, logLimits)
  let stopped: Promise<void> | undefined

  function start(spec: ProcessSpec): SupervisedProcess {
    if (stopped !== undefined) throw new Error(`${spec.name} cannot be started: the supervisor is stopping`)
    const logFile = join(logDirectory, `${spec.name}.log`)
    const log = spec.output === 'inherit' ? 'inherit' : openSync(logFile, 'a', 0o600)
    const span: LogSpan = { start: log === 'inherit' ? 0 : fstatSync(log).size }
    const child = spawn(spec.command, spec.args, {
      cwd: spec.cwd,
      env: spec.env ?? process.env,
      detached: true,
      stdio: ['ignore', log, log],
      ...spec.user
    })
    if (log !== 'inherit') {
      closeSync(log)
      logFiles.set(logFile, span)
    }
    const { pid } = child
    const stopSignal = spec.stopSignal ?? 'SIGTERM'
    if (pid !== undefined) watchdog.watch(pid, stopSignal)

    const { promise: exited, resolve, reject } = Promise.withResolvers<ProcessExit>()
    exited.catch(() => {})
    const supervised: SupervisedProcess = {
      name: spec.name,
      pid: pid ?? 0,
      logFile,
      exited,
      lastLines: async (count = 12) => (log === 'inherit' ? '' : lastLinesOf(logFile, span, count)),
      isRunning: () => running.has(entry),
      signal: signal => signalGroup(pid, signal),
      async stop() {
        if (running.has(entry)) {
          if (spec.passesStopSignal) child.kill(stopSignal)
          else signalGroup(pid, stopSignal)
        }
        const deadline = setTimeout(() => signalGroup(pid, 'SIGKILL'), spec.stopDeadlineMs ?? 15_000)
        return exited.finally(() => clearTimeout(deadline))
      }
    }
    const entry = { tier: spec.tier ?? 'server', process: supervised }
    if (pid !== undefined) running.add(entry)
    child.once('error', cause => reject(new ProcessFailedError(`${spec.name} could not be started: ${cause.message}`)))
    child.once('exit', (code, signal) => {
      running.delete(entry)
      signalGroup(pid, 'SIGKILL')
      if (pid !== undefined) watchdog.forget(pid)
      resolve({ code, signal })
    })
    return supervised
  }

  async function stopAll(): Promise<void> {
    for (const tier of ['service', 'server', 'coordinator'] as const) {
      await Promise.allSettled([...running].filter(entry => entry.tier === tier).map(entry => entry.process.stop()))
    }
    await stopRotation?.()
    await watchdog.close()
  }

  return {
    watchdogPID: watchdog.pid,
    start,
    stop() {
      stopped ??= stopAll()
      return stopped
    }
  }
}

/** Returns the signal or the exit code by which a process ended, for messages. */
export function describeExit({ code, signal }: ProcessExit): string {
  return signal ?? `exit code ${code}`
}

/**
 * Runs a command to its end. @throws ProcessFailedError with the end of its output unless it
 * succeeds
 */
export async function runToEnd(supervisor: Supervisor, spec: ProcessSpec): Promise<void> {
  const child = supervisor.start(spec)
  const { code, signal } = await child.exited
  if (code === 0) return
  throw new ProcessFailedError(`${spec.name} failed (${describeExit({ code, signal })}):\n${await child.lastLines()}`)
}

function signalGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, signal)
  } catch (error) {
    // The group is empty; macOS returns EPERM if it has only unreaped processes.
    if (!['ESRCH', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
}
