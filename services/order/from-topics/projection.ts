import { setTimeout as delay } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import type { Logger, StageObserver } from '@orderly/kafka'
import type { KafkaConfig, RegistryConfig, TracingConfig } from '@orderly/service-kit'

/**
 * The projection in a thread of its own: decoding every record and writing every row would take the event loop, which answers
 * `POST /orders`, a good part of its time.
 *
 * A projection that must not start, because Kafka has lost the offsets of its group, is no reason to refuse orders: it is tried again
 * until an operator has resolved the offsets, and the status of orders stays as it is.
 *
 * The thread has its own connections. What it logs and what its stage observes it tells this one, which has the logger and
 * the metrics. It ends when it is told to stop, and when its stage cannot go on, which is fatal to the service like in any other.
 */
export interface Projection {
  /** Finishes the batch under way and leaves the group. */
  stop(): Promise<void>
}

/** Those of the service's settings that the thread needs. */
export type ProjectionConfig = KafkaConfig &
  RegistryConfig &
  TracingConfig & { readonly DATABASE_URL: string; readonly INSTANCE_ID: string }

export interface ProjectionOptions {
  readonly logger: Logger
  readonly observer: Required<StageObserver>
  /** The projection has ended by itself. */
  readonly onFailure: (error: Error) => void
}

export const observedMethods = [
  ...(['processed', 'committed', 'ticked', 'aborted', 'retried', 'parked', 'assigned'] as const),
  ...(['truncated', 'skipped', 'recreated', 'partitionsAdded', 'unavailable'] as const)
] as const

export type FromWorker =
  | { readonly kind: 'log'; readonly level: keyof Logger; readonly fields: object; readonly message: string }
  | { readonly kind: 'observed'; readonly method: (typeof observedMethods)[number]; readonly event: object }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string }

export class ProjectionError extends Error {
  readonly code: string

  constructor(code: string, message: string) {
    super(`the projection of order status cannot go on: ${message}`)
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

/** Runs the thread until it ends. @returns why it did, which means nothing once it was stopped */
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
    // Node itself sends others: under `--watch` what the thread imports.
    else if (message.kind === 'observed') (observer[message.method] as (event: object) => void)(message.event)
  })
  worker.on('error', error => {
    failure = error as Error
  })
  await new Promise<void>(resolve => worker.once('exit', () => resolve()))
  stopping.removeEventListener('abort', stop)
  return failure ?? new ProjectionError('UNEXPECTED', 'its thread has ended')
}

/** Of any error: whether it says that trying again may help. */
export function isRetryable(error: unknown): boolean {
  return (error as { retryable?: unknown } | null | undefined)?.retryable === true
}
