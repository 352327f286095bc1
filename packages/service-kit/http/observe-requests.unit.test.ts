import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTestHttp, recordSpans } from '../testing/index.ts'
import { parseTraceparent } from '../tracing/trace-context.ts'

const parent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

test('requests are counted by route, never by path, and what operators ask is not traffic', async t => {
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

test("a request is a span in its caller's trace, named by its route, and its duration has that trace as exemplar", async t => {
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

test('an answer that is our fault makes the span one that failed; a refusal does not', async t => {
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

test('what the caller does not want recorded is not', async t => {
  const spans = recordSpans()
  const { http } = createTestHttp(t, { spans })
  http.get('/things', async () => ({}))
  await http.inject({ url: '/things', headers: { traceparent: parent.replace(/01$/, '00') } })
  assert.deepEqual(spans.recorded, [])
})
