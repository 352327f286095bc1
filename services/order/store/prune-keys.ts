import type { Logger } from '@orderly/postgres'
import type { KeyStore } from './key-store.ts'

export interface PruneOptions {
  readonly olderThanMs: number
  readonly everyMs?: number
  readonly logger: Logger
}

const rowsAtOnce = 5_000

/** Forgets old keys from time to time; instances that do it at the same time do not wait for each other. */
export function pruneKeys(keys: Pick<KeyStore, 'prune'>, options: PruneOptions): { stop(): void } {
  const { olderThanMs, everyMs = 600_000, logger } = options
  let isStopped = false

  async function prune(): Promise<void> {
    try {
      while (!isStopped && (await keys.prune(olderThanMs, rowsAtOnce)) === rowsAtOnce);
    } catch (error) {
      logger.warn({ error }, 'old idempotency keys could not be removed; trying again later')
    }
  }

  const timer = setInterval(prune, everyMs)
  timer.unref()
  return {
    stop() {
      isStopped = true
      clearInterval(timer)
    }
  }
}
