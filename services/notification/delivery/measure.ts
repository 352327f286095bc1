import {
  boundedLabel,
  exemplarHistogram,
  exemplarOf,
  isSampled,
  type Metrics,
  preciseNowMs,
  type Spans
} from '@orderly/service-kit'
import { Counter, Gauge } from 'prom-client'
import type { AttemptedDelivery, DeliveryStore, TargetBacklog } from '../store/delivery-store.ts'
import type { DeliveryObserver } from './delivery-loop.ts'

const secondsBuckets = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 60]

export interface Measures extends DeliveryObserver {
  saved(attempted: readonly AttemptedDelivery[]): void
  duplicates(count: number): void
}

/** Registers the metrics of notifications and of the delivery table. */
export function measure(metrics: Metrics, deliveryStore: Pick<DeliveryStore, 'backlog' | 'disabled'>): Measures {
  const registers = [metrics]
  const delivered = new Counter({
    name: 'orderly_notifications_delivered_total',
    help: 'Notifications that a target accepted.',
    labelNames: ['target', 'kind'],
    registers
  })
  const failures = new Counter({
    name: 'orderly_notification_failures_total',
    help: 'Failed attempts that will be retried.',
    labelNames: ['target', 'code'],
    registers
  })
  const exhausted = new Counter({
    name: 'orderly_notifications_exhausted_total',
    help: 'Notifications that were written to the dead-letter topic.',
    labelNames: ['target', 'code'],
    registers
  })
  const skipped = new Counter({
    name: 'orderly_notifications_skipped_total',
    help: 'Notifications that were skipped because their target is disabled.',
    labelNames: ['target'],
    registers
  })
  const suppressed = new Counter({
    name: 'orderly_notification_duplicates_suppressed_total',
    help: 'Deliveries that already existed when their event was read again.',
    registers
  })
  const duration = exemplarHistogram(metrics, {
    name: 'orderly_notification_delivery_duration_seconds',
    help: 'Duration of an attempt.',
    labelNames: ['target', 'outcome'],
    buckets: secondsBuckets
  })
  const delay = exemplarHistogram(metrics, {
    name: 'orderly_notification_delay_seconds',
    help: 'Time from acceptance of a notification until its target accepted it.',
    labelNames: ['target'],
    buckets: [...secondsBuckets, 300, 1_800, 7_200, 43_200, 259_200]
  })
  // Two gauges of one scrape share one query. An unavailable database must not remove the other
  // metrics.
  let looking: Promise<readonly TargetBacklog[] | undefined> | undefined
  const look = () => {
    looking ??= deliveryStore
      .backlog()
      .catch(() => undefined)
      .finally(() => {
        looking = undefined
      })
    return looking
  }
  const backlogGauge = (name: string, help: string, figure: (backlog: TargetBacklog) => number) =>
    new Gauge({
      name,
      help,
      labelNames: ['target'],
      registers,
      async collect() {
        const backlog = await look()
        if (backlog === undefined) return
        this.reset()
        for (const each of backlog) this.set({ target: each.target }, figure(each))
      }
    })
  backlogGauge('orderly_notification_backlog', 'Pending deliveries of all instances.', ({ deliveries }) => deliveries)
  backlogGauge(
    'orderly_notification_oldest_due_age_seconds',
    'Age of the oldest pending delivery of all instances.',
    ({ oldestAgeMs }) => oldestAgeMs / 1_000
  )
  new Gauge({
    name: 'orderly_notification_target_disabled',
    help: '1 for each target that answered 410 Gone and is disabled.',
    labelNames: ['target'],
    registers,
    async collect() {
      const targets = await deliveryStore.disabled().catch(() => undefined)
      if (targets === undefined) return
      this.reset()
      for (const target of targets) this.set({ target }, 1)
    }
  })

  const failureCode = boundedLabel()
  const exhaustedCode = boundedLabel()

  return {
    attempted({ delivery: { target, ageMs }, attempt, durationMs, traceparent, isRecorded }) {
      const exemplarLabels = isRecorded === true ? exemplarOf(traceparent) : {}
      duration.observe({ labels: { target, outcome: attempt.kind }, value: durationMs / 1_000, exemplarLabels })
      if (attempt.kind === 'sent') {
        delay.observe({ labels: { target }, value: (ageMs + durationMs) / 1_000, exemplarLabels })
      }
    },
    saved(attempted) {
      for (const { delivery, result } of attempted) {
        const { target, notification } = delivery
        if (result.status === 'sent') delivered.inc({ target, kind: notification.kind })
        else if (result.status === 'skipped') skipped.inc({ target })
        else if (result.status === 'exhausted') exhausted.inc({ target, code: exhaustedCode(result.failure.code) })
        else if (result.attempts > delivery.attempts) {
          failures.inc({ target, code: failureCode(result.failure?.code ?? 'UNKNOWN') })
        }
      }
    },
    duplicates: count => suppressed.inc(count)
  }
}

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
