import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import type { TestContext } from 'node:test'

/** Heap size: half of the memory of a service's container, which is Node's default there. */
const heapMB = 320

export interface LimitedServer {
  readonly address: string
  /** Returns false once the process has exited, for example out of memory. */
  isRunning(): boolean
  usage(): Promise<ServerUsage>
}

export interface ServerUsage {
  /** CPU time of the process since it started. */
  readonly cpuMs: number
  readonly maxRSSMB: number
}

/**
 * Runs a script that calls `serveParent` in a process with the heap of a container, until the test
 * ends.
 */
export async function startLimitedServer(t: Pick<TestContext, 'after'>, script: URL): Promise<LimitedServer> {
  const child: ChildProcess = fork(script, {
    execArgv: [`--max-old-space-size=${heapMB}`, '--max-semi-space-size=16', '--heap-growing-percent=150'],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc']
  })
  t.after(() => child.kill('SIGKILL'))
  const [{ address }] = await once(child, 'message')
  return {
    address,
    isRunning: () => child.exitCode === null && child.signalCode === null,
    async usage() {
      child.send('usage')
      const [usage] = await once(child, 'message')
      return usage
    }
  }
}

/**
 * Sends the parent process the address that `listen` returns, and its resource usage on request.
 */
export async function serveParent(listen: () => Promise<string>): Promise<void> {
  process.on('message', () => {
    const { user, system } = process.cpuUsage()
    process.send?.({ cpuMs: (user + system) / 1_000, maxRSSMB: process.resourceUsage().maxRSS / 1_024 })
  })
  process.once('disconnect', () => process.exit())
  process.send?.({ address: await listen() })
}
