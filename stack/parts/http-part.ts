import type { SupervisedProcess } from '../processes/supervisor.ts'
import { waitUntilHealthy } from '../processes/wait.ts'
import type { RunningPart } from './part.ts'

const deadlineMs = 180_000

interface HTTPPart {
  readonly name: string
  readonly address: string
  readonly child: SupervisedProcess
  /** Answers with 2xx when it is ready. */
  readonly readyPath: string
  /** As `performance.now()`. */
  readonly startedAt: number
}

/** A process that tells over HTTP when it is ready, once it is. One that does not become so in time is stopped. */
export async function whenReady({ name, address, child, ...rest }: HTTPPart): Promise<RunningPart> {
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
