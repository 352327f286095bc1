import { setTimeout as delay } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import type { Logger, StageObserver } from '@orderly/kafka'
import type { KafkaConfig, RegistryConfig, TracingConfig } from '@orderly/service-kit'

/**
 * The projection of order status, in a separate thread. On the main thread, decoding every record
 * and writing every row would take much of the time of the event loop that answers `POST /orders`.
 *
 * If Kafka has lost the offsets of its group, the projection must not start. The service then still
 * accepts orders, and retries the projection until an operator has resolved the offsets. Until then
 * the order status is not updated.
 *
 * The thread has separate connections. It sends log lines and observations of its stage to the main
 * thread, which has the logger and the metrics. It ends after `stop`, or if its stage fails
 * permanently, which is fatal to the service.
 */
export interface Projection {
  /** Finishes the batch in flight and leaves the group. */
  stop(): Promise<void>
}

/** Settings of the service that the thread needs. */
export type ProjectionConfig = KafkaConfig &
  RegistryConfig &
  TracingConfig & { readonly DATABASE_URL: string; readonly INSTANCE_ID: string }

export interface ProjectionOptions {
  readonly logger: Logger
  readonly observer: Required<StageObserver>
  /** Called if the projection ends without `stop`. */
  readonly onFailure: (error: Error) => void
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

export function startProjection(config: ProjectionConfig, options: ProjectionOptions): Projection {
  const { logger, onFailure } = options
  const stopping = new AbortController()

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      const failure = await runWorker(config, options, stopping.signal)
      if (stopping.signal.aborted) return
      if (!(failure instanceof ProjectionError) || failure.code !== 'OFFSETS_MISSING') return onFailure(failure)
      const { code, message } = failure
      logger.error({ event: 'projection_refused', code, retryInMs: refusedPauseMs }, message)
      await delay(refusedPauseMs, undefined, { signal: stopping.signal }).catch(() => {})
    }
  }

  const ended = run()
  return {
    stop() {
      stopping.abort()
      return ended
    }
  }
}

/** Runs the thread until it ends. @returns the reason, to be ignored after a stop */
async function runWorker(
  config: ProjectionConfig,
  { logger, observer }: ProjectionOptions,
  stopping: AbortSignal
): Promise<Error> {
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
