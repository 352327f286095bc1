import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Counter } from 'prom-client'
import { boundedLabel } from './bounded-label.ts'
import { createExposition, exemplarHistogram } from './exposition.ts'
import { createMetrics } from './registry.ts'

const openMetrics =
  'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain'

test('concurrent scrapers get OpenMetrics with exemplars or plain text without, as accepted', async () => {
  const metrics = createMetrics('order')
  const registers = [metrics]
  new Counter({ name: 'orders_total', help: 'Orders.', registers }).inc(3)
  const seconds = exemplarHistogram(metrics, { name: 'seconds', help: 'Time.', buckets: [1] })
  seconds.observe({ value: 0.5, exemplarLabels: { trace_id: 'abc' } })
  const expose = createExposition(metrics)
  const [open, plain, openAgain] = await Promise.all([expose(openMetrics), expose('text/plain'), expose(openMetrics)])

  assert.match(open.contentType, /^application\/openmetrics-text; version=1\.0\.0/)
  assert.match(open.text, /^seconds_bucket\{le="1",service="order"\} 1 # \{trace_id="abc"\} 0\.5 \d/m)
  assert.match(open.text, /^orders_total\{service="order"\} 3$/m)
  assert.ok(open.text.endsWith('# EOF\n'))
  assert.match(openAgain.text, /^orders_total\{service="order"\} 3$/m)

  assert.match(plain.contentType, /^text\/plain; version=0\.0\.4/)
  assert.match(plain.text, /^# TYPE orders_total counter$/m)
  assert.match(plain.text, /^orders_total\{service="order"\} 3$/m)
  assert.doesNotMatch(plain.text, /trace_id/)
})

test('a bounded label has at most the given number of values plus OTHER', () => {
  const label = boundedLabel(3)
  const seen = new Set(Array.from({ length: 100 }, (_, index) => label(`HTTP_${index}`)))
  assert.deepEqual([...seen], ['HTTP_0', 'HTTP_1', 'HTTP_2', 'OTHER'])
  assert.equal(label('HTTP_1'), 'HTTP_1')
})
