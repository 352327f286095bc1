import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Contestant } from './contestants.ts'

/** Task of a worker (`competitors/worker.mjs`, `java/ClientLoop.java`). */
export interface ClientTask {
  readonly mode: 'loop' | 'read'
  readonly brokers: readonly string[]
  readonly input: string
  readonly output: string
  readonly group: string
  readonly transactionalID: string
  readonly holdAt?: 'processing' | 'before-commit'
  /** Numbers of committed records after which the worker begins and ends to measure. */
  readonly measure?: { readonly from: number; readonly to: number }
}

export interface WorkerReport {
  readonly event: 'joined' | 'held' | 'value' | 'failed' | 'done'
  readonly value?: string
  readonly message?: string
  readonly records?: number
  readonly transactions?: number
  readonly seconds?: number
  readonly cpuSeconds?: number
  readonly p50Ms?: number
  readonly p99Ms?: number
}

export interface WorkerExit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** A worker process, and what it has reported. */
export interface LoopProcess {
  readonly reports: readonly WorkerReport[]
  /** Resolves when the worker has ended. */
  readonly exited: Promise<WorkerExit>
  /** Resolves with the first report of an event. @throws Error if the worker ends before, or the signal aborts */
  reported(event: WorkerReport['event'], signal: AbortSignal): Promise<WorkerReport>
  signal(name: 'SIGSTOP' | 'SIGCONT' | 'SIGKILL'): void
  /** Continues a worker that is held. */
  release(): void
  kill(): Promise<void>
}

export function startLoop({ command, args }: Contestant, task: ClientTask): LoopProcess {
  const env = { ...process.env, CLIENT_TASK: JSON.stringify(task) }
  const child = spawn(command, args, { env, stdio: ['pipe', 'pipe', 'pipe'] })
  const reports: WorkerReport[] = []
  const listeners = new Set<() => void>()
  let complaints = ''
  let end: WorkerExit | undefined
  const notify = () => {
    for (const listener of listeners) listener()
  }
  child.stdin.on('error', () => {})
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaints = (complaints + text).slice(-2_000)
  })
  createInterface({ input: child.stdout }).on('line', line => {
    // Native libraries may write to standard output as well.
    if (!line.startsWith('{"')) return
    reports.push(JSON.parse(line))
    notify()
  })
  const exited = new Promise<WorkerExit>(resolve => {
    child.once('close', (code, signal) => {
      end = { code, signal }
      notify()
      resolve(end)
    })
  })
  return {
    reports,
    exited,
    reported: (event, signal) =>
      new Promise((resolve, reject) => {
        const check = () => {
          const found = reports.find(report => report.event === event)
          if (found === undefined && end === undefined && !signal.aborted) return
          listeners.delete(check)
          const failure = reports.findLast(report => report.event === 'failed')?.message ?? complaints
          if (found !== undefined) resolve(found)
          else reject(new Error(end === undefined ? `no ${event} in time` : `ended without ${event}: ${failure}`))
        }
        listeners.add(check)
        signal.addEventListener('abort', check, { once: true })
        check()
      }),
    signal: name => void child.kill(name),
    release: () => void child.stdin.write('\n'),
    async kill() {
      child.kill('SIGKILL')
      await exited
    }
  }
}
