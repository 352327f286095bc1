import { retry } from '@orderly/retry'
import type { Logger } from '../records.ts'
import { PositionConflictError } from './position-store.ts'
import type { PositionTracker } from './position-tracker.ts'
import type { StageObserver } from './stage.ts'

export interface StagePositions extends Pick<PositionTracker, 'covering' | 'saved'> {
  /**
   * Compares stored positions with committed offsets, unless that was done recently. @throws
   * PositionConflictError, or the reason why they cannot be compared
   */
  check?(): Promise<void>
  /**
   * Forces a comparison before the next use. Called after the database has failed, because another
   * database may answer next.
   */
  doubt?(): void
}

export interface ProcessingRetryOptions {
  readonly isTransient: (error: unknown) => boolean
  readonly logger: Logger
  readonly observer: StageObserver
  /** Called with every transient error. */
  readonly onTransient?: (error: unknown) => void
  /** Positions that `process` saves; set with a PositionStore. */
  readonly positions?: StagePositions
}

/** Error for positions that cannot be compared yet; retried, never a reason for a dead letter. */
class UncheckedError extends Error {
  override readonly name = 'UncheckedError'
}

/**
 * Retries work of a batch until it succeeds or fails permanently.
 * @throws the signal's reason when it aborts, or the permanent error
 */
export async function retryProcessing<Result>(
  stageName: string,
  work: () => Promise<Result>,
  {
    isTransient,
    logger,
    observer,
    onTransient,
    positions,
    signal
  }: ProcessingRetryOptions & { readonly signal: AbortSignal }
): Promise<Result> {
  try {
    return await retry(work, {
      initialMs: 50,
      maxMs: 5_000,
      signal,
      isTransient: error =>
        !(error instanceof PositionConflictError) && (error instanceof UncheckedError || isTransient(error)),
      onRetry: (error, _attempt, retryInMs) => {
        positions?.doubt?.()
        const fields = { event: 'processing_retrying', error, stage: stageName, retryInMs }
        logger.warn(fields, 'processing failed with a transient error; retrying')
        observer.retried?.({ error })
        onTransient?.(error)
      }
    })
  } catch (error) {
    signal.throwIfAborted()
    throw error
  }
}

/** Compares the stored positions. A comparison that fails is transient, one that finds a loss is not. */
export async function checkPositions(positions: StagePositions | undefined): Promise<void> {
  try {
    await positions?.check?.()
  } catch (error) {
    if (error instanceof PositionConflictError) throw error
    throw new UncheckedError('the stored positions cannot be compared', { cause: error })
  }
}
