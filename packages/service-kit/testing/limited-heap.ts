import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import type { TestContext } from 'node:test'

/** Half of the memory that a container of a service has, which is what Node gives its heap there. */
const heapMB = 320

export interface LimitedServer {
  readonly address: string
  /** False once it ran out of memory. */
  isRunning(): boolean
  usage(): Promise<ServerUsage>
}

export interface ServerUsage {
  /** CPU time of the process since it started. */
  readonly cpuMs: number
  readonly maxRSSMB: number
}

/** Runs a script that calls `serveParent` in a process with a heap like a container's. It ends with the test. */
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

/** Listens on loopback, and answers the process that started this one. */
export async function serveParent(listen: () => Promise<string>): Promise<void> {
  process.on('message', () => {
    const { user, system } = process.cpuUsage()
    process.send?.({ cpuMs: (user + system) / 1_000, maxRSSMB: process.resourceUsage().maxRSS / 1_024 })
  })
  process.once('disconnect', () => process.exit())
  process.send?.({ address: await listen() })
}
