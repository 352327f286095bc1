import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTestHttp, recordSpans } from '../testing/index.ts'
import { parseTraceparent } from '../tracing/trace-context.ts'

const parent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

test('requests are counted by route instead of path, without health checks and metrics', async t => {
  const { http, metrics } = createTestHttp(t)
  http.get('/things/:id', async () => ({}))
  for (const url of ['/things/7', '/things/8', '/nothing', '/elsewhere', '/health/live', '/metrics'])
    await http.inject(url)
  const text = await metrics.metrics()
  const counts = [...text.matchAll(/^orderly_http_request_duration_seconds_count\{(.*)\} (\d+)$/gm)].map(
    ([, labels, count]) => `${labels} ${count}`
  )
  assert.deepEqual(counts, [
    'service="test",method="GET",route="/things/:id",status="200" 2',
    'service="test",method="GET",route="none",status="404" 2'
  ])
})

test("a request records a span in the caller's trace, named by its route, and an exemplar of its duration", async t => {
  const spans = recordSpans()
  const { http } = createTestHttp(t, { spans })
  http.get('/things/:id', async request => ({ traceparent: request.traceparent }))
  const answer = await http.inject({ url: '/things/7?secret=1', headers: { traceparent: parent } })
  const [span, ...others] = spans.recorded
  assert.equal(others.length, 0)
  assert.equal(span?.name, 'GET /things/:id')
  assert.equal(span.kind, 'server')
  assert.equal(span.parent, parent)
  assert.equal(span.traceparent, answer.json().traceparent)
  assert.equal(parseTraceparent(span.traceparent)?.traceID, '0af7651916cd43dd8448eb211c80319c')
  assert.equal(span.attributes['url.path'], '/things/7')
  assert.equal(span.attributes['http.response.status_code'], 200)
  assert.ok(span.endMs >= span.startMs && Math.abs(span.endMs - Date.now()) < 5_000)
  const scraped = await http.inject({ url: '/metrics', headers: { accept: 'application/openmetrics-text' } })
  assert.match(scraped.body, /_bucket\{.*route="\/things\/:id".* # \{trace_id="0af7651916cd43dd8448eb211c80319c"/)
})

test('a server error marks the span as failed, a client error does not', async t => {
  const spans = recordSpans()
  const { http } = createTestHttp(t, { spans })
  http.get('/broken', () => Promise.reject(new Error('a bug')))
  await http.inject('/broken')
  await http.inject('/nothing')
  assert.deepEqual(
    spans.recorded.map(({ name, error }) => [name, error !== undefined]),
    [
      ['GET /broken', true],
      ['GET', false]
    ]
  )
})

test('requests with an unsampled traceparent record no span', async t => {
  const spans = recordSpans()
  const { http } = createTestHttp(t, { spans })
  http.get('/things', async () => ({}))
  await http.inject({ url: '/things', headers: { traceparent: parent.replace(/01$/, '00') } })
  assert.deepEqual(spans.recorded, [])
})
