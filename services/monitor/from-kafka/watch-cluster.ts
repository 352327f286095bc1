import { setTimeout as delay } from 'node:timers/promises'
import type { Observation } from '../domain/observation.ts'

export interface WatchOptions {
  readonly everyMs: number
  readonly observe: () => Promise<Observation>
  readonly onObserved: (observation: Observation, durationMs: number) => void
  readonly onFailure: (error: unknown) => void
}

export interface ClusterWatch {
  /** When the cluster could last be asked; undefined before that. */
  lastObservedAtMs(): number | undefined
  stop(): Promise<void>
}

/** Looks again and again, one look at a time, at its own pace: how often anybody scrapes makes no work for the brokers. */
export function watchCluster({ everyMs, observe, onObserved, onFailure }: WatchOptions): ClusterWatch {
  const stopping = new AbortController()
  let lastObservedAtMs: number | undefined

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      const startMs = performance.now()
      try {
        const observation = await observe()
        lastObservedAtMs = observation.atMs
        onObserved(observation, performance.now() - startMs)
      } catch (error) {
        if (!stopping.signal.aborted) onFailure(error)
      }
      const restMs = Math.max(0, everyMs - (performance.now() - startMs))
      await delay(restMs, undefined, { signal: stopping.signal }).catch(() => {})
    }
  }

  const running = run()
  return {
    lastObservedAtMs: () => lastObservedAtMs,
    stop() {
      stopping.abort()
      return running
    }
  }
}
