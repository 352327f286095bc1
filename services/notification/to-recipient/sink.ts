import type { Config, Logger } from '@orderly/service-kit'
import type { TProperties } from 'typebox'
import type { Locale } from '../domain/message.ts'
import type { Notification } from '../domain/notification.ts'

/** A way to reach people, or machines. One that can be switched off or fails by itself is a sink of its own. */
export interface Sink {
  /** Names it in the ledger, in logs and in metrics: the kind, and where there are several of a kind, which: `webhook:shop`. */
  readonly target: string
  /** Stands for where it leads to: a target that was switched off is on again when this changes. */
  readonly fingerprint: string
  /** To how many users it sends at once. */
  readonly concurrency: number
  /** How long `deliver` takes at most. */
  readonly timeoutMs: number
  /**
   * Resolves when the notification has left for good. May be called again for the same notification, and then says so by
   * the same id. What it rejects with decides how it goes on: see `SinkError`.
   */
  deliver(notification: Notification, options: DeliverOptions): Promise<void>
  close(): Promise<void>
}

export interface DeliverOptions {
  readonly traceparent: string
  /** Aborted when the service cannot wait any longer. */
  readonly signal: AbortSignal
}

/** What a sink may use. */
export interface SinkContext {
  readonly logger: Logger
  readonly locale: Locale
}

/** A kind of sink, as it is listed in `sinks.ts`. */
export interface SinkDefinition<Settings extends TProperties> {
  /** Its settings; those that it cannot do without are optional here and asked for by `problems`, when it is chosen. */
  readonly settings: Settings
  /** What is wrong, one line each: the setting's name and what to do. */
  problems(config: Config<Settings>, isProd: boolean): readonly string[]
  /** One for each target. Called when there are no problems. */
  create(config: Config<Settings>, context: SinkContext): readonly Sink[]
}

/** For its types only. */
export function defineSink<Settings extends TProperties>(
  definition: SinkDefinition<Settings>
): SinkDefinition<Settings> {
  return definition
}

export interface SinkErrorOptions extends ErrorOptions {
  /** Whether to try again; otherwise the notification is given up at once. Any other error is tried again. */
  readonly retryable: boolean
  /** The target asks for a pause. */
  readonly retryAfterMs?: number
}

export class SinkError extends Error {
  /** `TARGET_GONE` switches the target off. */
  readonly code: string
  readonly retryable: boolean
  readonly retryAfterMs: number | undefined

  constructor(code: string, message: string, options: SinkErrorOptions) {
    super(message, options)
    this.name = 'SinkError'
    this.code = code
    this.retryable = options.retryable
    this.retryAfterMs = options.retryAfterMs
  }
}

export const targetGone = 'TARGET_GONE'
