import type { SupervisedProcess } from '../processes/supervisor.ts'
import { waitUntilHealthy } from '../processes/wait.ts'
import type { RunningComponent } from './component.ts'

const deadlineMs = 180_000

interface HTTPComponent {
  readonly name: string
  readonly address: string
  readonly child: SupervisedProcess
  /** Path that responds with 2xx when the component is ready. */
  readonly readyPath: string
  /** Start time, as returned by `performance.now()`. */
  readonly startedAt: number
}

/**
 * Waits until a process is ready, as reported over HTTP. Stops a process that is not ready in time.
 */
export async function whenReady({ name, address, child, ...rest }: HTTPComponent): Promise<RunningComponent> {
  const isReady = async () => (await fetch(`${address}${rest.readyPath}`, { signal: AbortSignal.timeout(5_000) })).ok
  try {
    await waitUntilHealthy(child, isReady, deadlineMs)
  } catch (error) {
    await child.stop()
    throw error
  }
  return {
    name,
    address,
    processes: [child],
    startMs: Math.round(performance.now() - rest.startedAt),
    isHealthy: () => isReady().catch(() => false),
    stop: async () => void (await child.stop())
  }
}
