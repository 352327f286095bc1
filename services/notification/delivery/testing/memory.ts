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
  /** Called before each delivery; an error that it throws fails the delivery. */
  readonly before?: (notification: Notification, options: DeliverOptions) => Promise<void> | void
}

/** Creates a sink that records notifications, for tests. */
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
