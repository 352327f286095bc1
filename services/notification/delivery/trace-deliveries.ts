import { isSampled, preciseNowMs, type Spans } from '@orderly/service-kit'
import type { DeliveryObserver } from './delivery-loop.ts'

/** Records each attempt as the last span of its order's trace. */
export function traceDeliveries(observer: DeliveryObserver, spans: Spans | undefined): DeliveryObserver {
  if (spans === undefined) return observer
  return {
    attempted(event) {
      const { delivery, attempt, traceparent, durationMs } = event
      observer.attempted({ ...event, isRecorded: isSampled(traceparent) })
      const endMs = preciseNowMs()
      spans.record({
        name: `deliver ${delivery.target}`,
        kind: 'client',
        traceparent,
        parent: delivery.traceparent,
        startMs: endMs - durationMs,
        endMs,
        attributes: {
          'orderly.notification.target': delivery.target,
          'orderly.notification.kind': delivery.notification.kind,
          'orderly.notification.outcome': attempt.kind,
          'orderly.notification.earlier_attempts': delivery.attempts,
          'messaging.message.id': delivery.notification.id
        },
        ...((attempt.kind === 'failed' || attempt.kind === 'refused') && { error: attempt })
      })
    }
  }
}
