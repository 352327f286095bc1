import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createExposition } from './exposition.ts'
import { createMetrics } from './registry.ts'
import { stageObserver } from './stage-observer.ts'

test('the events of a stage update the metrics', async () => {
  const metrics = createMetrics('inventory')
  const observer = stageObserver(metrics)
  observer.assigned({ partitions: 4 })
  observer.processed({ records: 3, durationMs: 20 })
  observer.committed({
    records: 3,
    outputs: 2,
    durationMs: 4,
    timestampsMs: Float64Array.of(Date.now() - 2_000, Date.now() - 700, Date.now() + 60_000)
  })
  observer.aborted({ reason: 'REBALANCED' })
  observer.retried({ error: new Error('away') })
  observer.ticked({ outputs: 1, durationMs: 7 })
  observer.deadLettered({ topic: 'orders.created', reason: 'EVENT_INVALID' })
  const text = await metrics.metrics()
  for (const line of [
    'orderly_stage_records_total{service="inventory"} 3',
    'orderly_stage_outputs_total{service="inventory"} 3',
    'orderly_stage_partitions{service="inventory"} 4',
    'orderly_stage_aborted_batches_total{reason="REBALANCED",service="inventory"} 1',
    'orderly_stage_batch_records_sum{service="inventory"} 3',
    'orderly_stage_retries_total{service="inventory"} 1',
    'orderly_stage_dead_letters_total{topic="orders.created",reason="EVENT_INVALID",service="inventory"} 1',
    'orderly_stage_batch_duration_seconds_sum{service="inventory",step="process"} 0.02',
    'orderly_stage_record_age_seconds_bucket{le="0.5",service="inventory"} 1',
    'orderly_stage_record_age_seconds_bucket{le="1",service="inventory"} 2',
    'orderly_stage_record_age_seconds_bucket{le="+Inf",service="inventory"} 3',
    'orderly_stage_record_age_seconds_count{service="inventory"} 3'
  ]) {
    assert.ok(text.includes(line), `${line} in\n${text}`)
  }
})

test('record ages and batch steps have exemplars in OpenMetrics output only', async () => {
  const metrics = createMetrics('inventory')
  const observer = stageObserver(metrics)
  const timestampsMs = Float64Array.of(Date.now() - 2_000)
  const traceparent = `00-${'c'.repeat(32)}-${'d'.repeat(16)}-01`
  observer.processed({ records: 1, durationMs: 20, traceparent })
  observer.committed({ records: 1, outputs: 1, durationMs: 4, timestampsMs, traceparent })
  observer.ticked({ outputs: 1, durationMs: 7 })
  observer.recorded?.({ timestampMs: Date.now() - 2_000, traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` })
  const write = createExposition(metrics)
  const { text } = await write('application/openmetrics-text')
  const traced = text.split('\n').filter(line => line.includes('orderly_stage_record_age') && line.includes('# {'))
  assert.equal(traced.length, 1)
  assert.match(traced[0] ?? '', /le="2\.5".* 1 # \{trace_id="a{32}",span_id="b{16}"\} 2(\.\d+)? \d+(\.\d+)?$/)
  const steps = text.split('\n').filter(line => line.includes('orderly_stage_batch_duration') && line.includes('# {'))
  assert.deepEqual(
    steps.map(line => line.match(/step="(\w+)".* # \{trace_id="(c{32})"/)?.slice(1)),
    [
      ['process', 'c'.repeat(32)],
      ['commit', 'c'.repeat(32)]
    ]
  )
  assert.ok(!(await write(undefined)).text.includes('# {'))
})
