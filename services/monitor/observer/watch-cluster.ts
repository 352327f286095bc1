import { setTimeout as delay } from 'node:timers/promises'

/** Result of an observation with its time. */
interface Observed {
  readonly atMs: number
}

export interface WatchOptions<Observation extends Observed> {
  readonly everyMs: number
  readonly observe: (signal: AbortSignal) => Promise<Observation>
  readonly onObserved: (observation: Observation, durationMs: number) => void
  readonly onFailure: (error: unknown) => void
}

export interface ClusterWatch {
  /** Returns the time of the last successful observation; undefined before the first one. */
  lastObservedAtMs(): number | undefined
  stop(): Promise<void>
}

/**
 * Observes the cluster at a fixed interval, one observation at a time, so that scrapes cause no
 * load on brokers.
 */
export function watchCluster<Observation extends Observed>({
  everyMs,
  observe,
  onObserved,
  onFailure
}: WatchOptions<Observation>): ClusterWatch {
  const stopping = new AbortController()
  let lastObservedAtMs: number | undefined

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      const startMs = performance.now()
      try {
        const observation = await observe(stopping.signal)
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
