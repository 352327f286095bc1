import type { Logger } from '@orderly/postgres'
import type { KeyStore } from './key-store.ts'

export interface PruneOptions {
  readonly olderThanMs: number
  readonly everyMs?: number
  readonly logger: Logger
}

const rowsAtOnce = 5_000

/** Deletes old keys periodically. Instances that do so at the same time do not block each other. */
export function pruneKeys(keys: Pick<KeyStore, 'prune'>, options: PruneOptions): { stop(): void } {
  const { olderThanMs, everyMs = 600_000, logger } = options
  let isStopped = false

  async function prune(): Promise<void> {
    try {
      while (!isStopped && (await keys.prune(olderThanMs, rowsAtOnce)) === rowsAtOnce);
    } catch (error) {
      logger.warn(
        { event: 'idempotency_keys_not_pruned', error },
        'failed to delete old idempotency keys, will retry at the next interval'
      )
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
