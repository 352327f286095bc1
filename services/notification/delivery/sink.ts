import type { Config, Logger } from '@orderly/service-kit'
import type { TProperties } from 'typebox'
import type { Locale } from '../domain/message.ts'
import type { Notification } from '../domain/notification.ts'

/**
 * A channel to people or machines. A destination that can fail or be disabled independently is a
 * separate sink.
 */
export interface Sink {
  /**
   * Name in the delivery table, logs and metrics: the kind of sink, followed by the endpoint where
   * there are several, as in `webhook:shop`.
   */
  readonly target: string
  /**
   * Hash of the target's address. A disabled target is enabled again when it changes. Empty if the
   * sink never throws `TARGET_GONE`.
   */
  readonly fingerprint: string
  /** Maximum number of users that are sent to concurrently. */
  readonly concurrency: number
  /** Maximum duration of `deliver`. */
  readonly timeoutMs: number
  /**
   * Resolves when the target has accepted the notification. May be called again for the same
   * notification, and then sends the same id. The error decides what happens next; see `SinkError`.
   */
  deliver(notification: Notification, options: DeliverOptions): Promise<void>
  close(): Promise<void>
}

export interface DeliverOptions {
  readonly traceparent: string
  /** Aborted when the delivery loop stops and no longer waits for the delivery. */
  readonly signal: AbortSignal
}

/** Dependencies of a sink. */
export interface SinkContext {
  readonly logger: Logger
  readonly locale: Locale
}

/** Definition of a kind of sink, listed in `sinks.ts`. */
export interface SinkDefinition<Settings extends TProperties> {
  /**
   * Settings of the sink. Required ones are optional in the schema; `problems` requires them if the
   * sink is chosen.
   */
  readonly settings: Settings
  /** Returns one line per problem, with the name of the setting and how to fix it. */
  problems(config: Config<Settings>, isProd: boolean): readonly string[]
  /** Creates one sink per target. Called only if `problems` returns none. */
  create(config: Config<Settings>, context: SinkContext): readonly Sink[]
}

/** Returns the definition unchanged; it infers the types. */
export function defineSink<Settings extends TProperties>(
  definition: SinkDefinition<Settings>
): SinkDefinition<Settings> {
  return definition
}

export interface SinkErrorOptions extends ErrorOptions {
  /**
   * True to retry; false to exhaust the delivery immediately. Errors of other classes are retried.
   */
  readonly retryable: boolean
  /** Pause that the target requested. */
  readonly retryAfterMs?: number
}

export class SinkError extends Error {
  /** Stable code; `TARGET_GONE` disables the target. */
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
