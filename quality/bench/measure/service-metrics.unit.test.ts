import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseMetrics } from './service-metrics.ts'

test('a series is found by name and label, and an unknown one is NaN', () => {
  const metrics = parseMetrics(`# TYPE process_resident_memory_bytes gauge
process_resident_memory_bytes{service="order"} 2.097152e+07
orderly_stage_batch_duration_seconds_sum{step="process",service="order"} 1.5
orderly_stage_batch_duration_seconds_sum{step="commit",service="order"} 2.5 # {trace_id="0a"} 1
`)
  assert.equal(metrics('process_resident_memory_bytes'), 20_971_520)
  assert.equal(metrics('orderly_stage_batch_duration_seconds_sum', 'step="commit"'), 2.5)
  assert.ok(Number.isNaN(metrics('nothing')))
})
