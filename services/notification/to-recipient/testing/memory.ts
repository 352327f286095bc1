import type { Notification } from '../../domain/notification.ts'
import type { DeliverOptions, Sink } from '../sink.ts'

export interface MemorySink extends Sink {
  readonly delivered: Notification[]
  readonly traceparents: string[]
}

export interface MemorySinkOptions {
  readonly target?: string
  readonly concurrency?: number
  readonly timeoutMs?: number
  /** Called before each delivery; what it throws is how the delivery fails. */
  readonly before?: (notification: Notification, options: DeliverOptions) => Promise<void> | void
}

/** Keeps what it is given. For tests. */
export function createMemorySink(options: MemorySinkOptions = {}): MemorySink {
  const { target = 'memory', concurrency = 10, timeoutMs = 100, before } = options
  const delivered: Notification[] = []
  const traceparents: string[] = []
  return {
    target,
    fingerprint: '',
    concurrency,
    timeoutMs,
    delivered,
    traceparents,
    async deliver(notification, deliverOptions) {
      await before?.(notification, deliverOptions)
      delivered.push(notification)
      traceparents.push(deliverOptions.traceparent)
    },
    async close() {}
  }
}
