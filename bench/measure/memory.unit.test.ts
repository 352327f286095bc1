import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeMemory, memoryOf } from './memory.ts'
import { parseMetrics } from './service-metrics.ts'

test('memory is read from what a service tells Prometheus, and what is left is all else', () => {
  const metrics = parseMetrics(`# TYPE process_resident_memory_bytes gauge
process_resident_memory_bytes{service="order"} 209715200
nodejs_heap_size_total_bytes{service="order"} 104857600
nodejs_heap_size_used_bytes{service="order"} 52428800
nodejs_external_memory_bytes{service="order"} 2.097152e+07
orderly_stage_batch_duration_seconds_sum{step="process",service="order"} 1.5
orderly_stage_batch_duration_seconds_sum{step="commit",service="order"} 2.5
`)
  const memory = memoryOf(metrics)
  assert.deepEqual(memory, { resident: 200, heap: 100, heapUsed: 50, outsideHeap: 20 })
  assert.match(describeMemory({ order: memory }), /\| order \| 200 \| 100 \| 50\.0 \| 20\.0 \| 80\.0 \|/)
  assert.equal(metrics('orderly_stage_batch_duration_seconds_sum', 'step="commit"'), 2.5)
  assert.ok(Number.isNaN(metrics('nothing')))
})
