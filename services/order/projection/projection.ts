import { setTimeout as delay } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import type { Logger, StageObserver } from '@orderly/kafka'
import { type ServiceContext, stageObserver } from '@orderly/service-kit'
import type { OrderConfig } from '../config.ts'

/**
 * The projection of order status, in a separate thread. On the main thread, decoding every record
 * and writing every row would take much of the time of the event loop that answers `POST /orders`.
 *
 * If Kafka has lost the offsets of its group, the projection must not start. The service then still
 * accepts orders, and retries the projection until an operator has resolved the offsets. Until then
 * the order status is not updated.
 *
 * The thread has separate connections. It sends log lines and observations of its stage to the main
 * thread, which has the logger and the metrics. It ends when the service stops, after the batch in
 * flight, or if its stage fails permanently, which is fatal to the service.
 */
export function startProjection(context: ServiceContext<OrderConfig>, databaseOpened: Promise<void>): void {
  const { metrics, signal, onStop, fail } = context
  const observer = stageObserver(metrics)
  databaseOpened.then(
    () => {
      const stopping = new AbortController()
      const ended = runWorkers(context, observer, stopping.signal)
      onStop('projection', () => {
        stopping.abort()
        return ended
      })
    },
    error => {
      if (!signal.aborted) fail(error)
    }
  )
}

export const observedMethods = [
  ...(['processed', 'committed', 'ticked', 'aborted', 'retried', 'deadLettered', 'assigned'] as const),
  ...(['truncated', 'skipped', 'recreated', 'partitionsAdded', 'unavailable'] as const)
] as const

export type FromWorker =
  | { readonly kind: 'log'; readonly level: keyof Logger; readonly fields: object; readonly message: string }
  | { readonly kind: 'observed'; readonly method: (typeof observedMethods)[number]; readonly event: object }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string }

export class ProjectionError extends Error {
  readonly code: string

  constructor(code: string, message: string) {
    super(`order status projection failed: ${message}`)
    this.name = 'ProjectionError'
    this.code = code
  }
}

const refusedPauseMs = 10_000

async function runWorkers(
  { config, logger, fail }: ServiceContext<OrderConfig>,
  observer: Required<StageObserver>,
  stopping: AbortSignal
): Promise<void> {
  while (!stopping.aborted) {
    const failure = await runWorker(config, { logger, observer, stopping })
    if (stopping.aborted) return
    if (!(failure instanceof ProjectionError) || failure.code !== 'OFFSETS_MISSING') return fail(failure)
    const { code, message } = failure
    logger.error({ event: 'projection_refused', code, retryInMs: refusedPauseMs }, message)
    await delay(refusedPauseMs, undefined, { signal: stopping }).catch(() => {})
  }
}

interface WorkerOptions {
  readonly logger: Logger
  readonly observer: Required<StageObserver>
  readonly stopping: AbortSignal
}

/** Runs the thread until it ends. @returns the reason, to be ignored after a stop */
async function runWorker(config: OrderConfig, { logger, observer, stopping }: WorkerOptions): Promise<Error> {
  const worker = new Worker(new URL('projection-worker.ts', import.meta.url), { workerData: config })
  let failure: Error | undefined
  const stop = () => worker.postMessage('stop')
  stopping.addEventListener('abort', stop)
  worker.on('message', (message: FromWorker) => {
    if (message.kind === 'log') logger[message.level](message.fields, message.message)
    else if (message.kind === 'failed') failure = new ProjectionError(message.code, message.message)
    // Node also sends messages: under `--watch`, the modules that the thread imports.
    else if (message.kind === 'observed') (observer[message.method] as (event: object) => void)(message.event)
  })
  worker.on('error', error => {
    failure = error as Error
  })
  await new Promise<void>(resolve => worker.once('exit', () => resolve()))
  stopping.removeEventListener('abort', stop)
  return failure ?? new ProjectionError('UNEXPECTED', 'its thread ended unexpectedly')
}

/** Returns true if an error is marked as retryable. */
export function isRetryable(error: unknown): boolean {
  return (error as { retryable?: unknown } | null | undefined)?.retryable === true
}
