import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Registry, type RegistryContentType } from 'prom-client'
import { createMemoryDeliveryStore } from '../store/testing/memory.ts'
import { accepted, notification, ofAll } from '../testing/notifications.ts'
import { measure } from './measure.ts'

const options = { instanceID: 'one', maxLanes: 1, maxPerLane: 1, leaseMs: 1_000 }

test('sent, failed, exhausted, skipped and suppressed deliveries are counted, and attempts are timed', async () => {
  const deliveryStore = createMemoryDeliveryStore()
  await deliveryStore.accept(accepted(notification()), ofAll('smtp'))
  const [delivery] = (await deliveryStore.claim('smtp', options)).deliveries
  assert.ok(delivery)
  const metrics = new Registry()
  const measures = measure(metrics, deliveryStore)
  const failure = { code: 'SMTP_452', reason: 'full' }
  measures.attempted({ delivery, attempt: { kind: 'sent' }, traceparent: '', durationMs: 12 })
  measures.saved([
    { delivery, result: { status: 'sent', attempts: 1 } },
    { delivery, result: { status: 'due', attempts: 1, retryInMs: 5, failure } },
    { delivery, result: { status: 'due', attempts: 0, retryInMs: 0 } },
    { delivery, result: { status: 'exhausted', attempts: 1, failure } },
    { delivery, result: { status: 'skipped', attempts: 0, failure } }
  ])
  measures.duplicates(3)
  const text = await metrics.metrics()
  for (const line of [
    'orderly_notifications_delivered_total{target="smtp",kind="order-reserved"} 1',
    'orderly_notification_failures_total{target="smtp",code="SMTP_452"} 1',
    'orderly_notifications_exhausted_total{target="smtp",code="SMTP_452"} 1',
    'orderly_notifications_skipped_total{target="smtp"} 1',
    'orderly_notification_duplicates_suppressed_total 3',
    'orderly_notification_delivery_duration_seconds_count{target="smtp",outcome="sent"} 1',
    'orderly_notification_delay_seconds_count{target="smtp"} 1'
  ]) {
    assert.ok(text.includes(line), line)
  }
})

test('an attempt has an exemplar with its trace if the trace is recorded', async () => {
  const deliveryStore = createMemoryDeliveryStore()
  await deliveryStore.accept(accepted(notification()), ofAll('smtp'))
  const [delivery] = (await deliveryStore.claim('smtp', options)).deliveries
  assert.ok(delivery)
  const metrics: Registry<RegistryContentType> = new Registry()
  const measures = measure(metrics as Registry, deliveryStore)
  const attempted = (digit: string, isRecorded?: boolean) =>
    measures.attempted({
      ...{ delivery, attempt: { kind: 'sent' }, durationMs: 12 },
      traceparent: `00-${digit.repeat(32)}-${digit.repeat(16)}-01`,
      ...(isRecorded !== undefined && { isRecorded })
    })
  attempted('a', true)
  attempted('b', false)
  attempted('c')
  metrics.setContentType(Registry.OPENMETRICS_CONTENT_TYPE)
  const text = await metrics.metrics()
  for (const name of ['orderly_notification_delivery_duration_seconds', 'orderly_notification_delay_seconds']) {
    const traced = text.split('\n').filter(line => line.startsWith(name) && line.includes('# {'))
    assert.equal(traced.length, 1, name)
    assert.match(traced[0] ?? '', /# \{trace_id="a{32}",span_id="a{16}"\}/)
  }
})

test('the gauges report the backlog, its oldest age and disabled targets, and are absent while the delivery table is unavailable', async () => {
  let nowMs = 1_000
  const deliveryStore = createMemoryDeliveryStore(() => nowMs)
  await deliveryStore.register([{ target: 'webhook:shop', fingerprint: '' }])
  await deliveryStore.disable({ target: 'webhook:shop', fingerprint: '' }, 'gone')
  await deliveryStore.accept(accepted(notification(), notification()), ofAll('console'))
  nowMs += 5_000
  const metrics = new Registry()
  measure(metrics, deliveryStore)
  const text = await metrics.metrics()
  assert.match(text, /orderly_notification_backlog\{target="console"\} 2/)
  assert.match(text, /orderly_notification_oldest_due_age_seconds\{target="console"\} 5/)
  assert.match(text, /orderly_notification_target_disabled\{target="webhook:shop"\} 1/)

  const without = new Registry()
  const away = async () => Promise.reject(new Error('away'))
  measure(without, { backlog: away, disabled: away })
  assert.match(await without.metrics(), /orderly_notification_duplicates_suppressed_total 0/)
})
