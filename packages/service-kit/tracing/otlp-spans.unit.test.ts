import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { Type } from 'typebox'
import { parseConfig } from '../config/parse-config.ts'
import { createSampler } from './sampler.ts'
import { tracingSettings } from './settings.ts'
import { isSampled } from './spans.ts'
import { startTracing } from './start-tracing.ts'
import { newTraceparent } from './trace-context.ts'

interface Received {
  readonly request: IncomingMessage
  readonly body: Buffer
}

/**
 * Starts an OTLP/HTTP receiver. Its address is also set in the environment, because the exporter
 * reads it there.
 */
async function startReceiver(t: TestContext): Promise<{ readonly url: string; readonly received: Received[] }> {
  const received: Received[] = []
  const server = createServer(async (request, response) => {
    received.push({ request, body: await buffer(request) })
    response.setHeader('content-type', request.headers['content-type'] ?? '').end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  process.env.OTEL_EXPORTER_OTLP_ENDPOINT = url
  t.after(() => {
    delete process.env.OTEL_EXPORTER_OTLP_ENDPOINT
  })
  return { url, received }
}

const configOf = (environment: Record<string, string>) => parseConfig(Type.Object(tracingSettings), environment)
const traced = { service: 'order', instance: '7', logger: { warn: () => {} } }

const span = (traceparent: string) => ({
  name: 'POST /orders',
  kind: 'server' as const,
  traceparent,
  startMs: Date.now() - 5,
  endMs: Date.now(),
  attributes: { 'http.route': '/orders', 'url.query': undefined }
})

test('an OTLP receiver gets a span with its ids, times, links and resource', async t => {
  const { url, received } = await startReceiver(t)
  const environment = { OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' }
  const spans = await startTracing(configOf(environment), traced)
  const parent = newTraceparent()
  const own = spans?.begin(parent) ?? ''
  spans?.record({
    ...span(own),
    parent,
    links: [newTraceparent()],
    error: Object.assign(new Error('no'), { code: 'E1' })
  })
  await spans?.stop()
  assert.equal(received.length, 1)
  assert.equal(received[0]?.request.url, '/v1/traces')
  const [resourceSpans] = JSON.parse(String(received[0]?.body)).resourceSpans
  const attributes = Object.fromEntries(
    resourceSpans.resource.attributes.map(({ key, value }: { key: string; value: { stringValue: string } }) => [
      key,
      value.stringValue
    ])
  )
  assert.deepEqual(attributes, {
    'service.name': 'order',
    'service.namespace': 'orderly',
    'service.instance.id': '7'
  })
  const [arrived] = resourceSpans.scopeSpans[0].spans
  assert.equal(arrived.traceId, parent.slice(3, 35))
  assert.equal(arrived.parentSpanId, parent.slice(36, 52))
  assert.equal(arrived.spanId, own.slice(36, 52))
  assert.equal(arrived.name, 'POST /orders')
  assert.equal(arrived.links.length, 1)
  assert.equal(arrived.status.code, 2)
  assert.deepEqual(
    arrived.attributes.map(({ key }: { key: string }) => key),
    ['http.route', 'error.type']
  )
  assert.ok(Math.abs(Number(BigInt(arrived.endTimeUnixNano) / 1_000_000n) - Date.now()) < 60_000)
})

test('Protobuf is the default protocol', async t => {
  const { url, received } = await startReceiver(t)
  const spans = await startTracing(configOf({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${url}/v1/traces` }), traced)
  spans?.record(span(newTraceparent()))
  await spans?.stop()
  assert.equal(received[0]?.request.headers['content-type'], 'application/x-protobuf')
  assert.ok(received[0]?.body.includes('POST /orders'))
})

test('tracing is disabled without an address, by OTEL_SDK_DISABLED, and by the exporter `none`', async () => {
  const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' }
  const offs = [{}, { ...endpoint, OTEL_SDK_DISABLED: 'true' }, { ...endpoint, OTEL_TRACES_EXPORTER: 'none' }]
  for (const off of offs) assert.equal(await startTracing(configOf(off), traced), undefined)
})

test('unsupported settings are refused by name', () => {
  assert.throws(
    () => configOf({ OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }),
    /OTEL_EXPORTER_OTLP_PROTOCOL is "grpc".*http\/json/s
  )
  assert.throws(() => configOf({ OTEL_TRACES_SAMPLER_ARG: '1.5' }), /OTEL_TRACES_SAMPLER_ARG is "1.5".*from 0 to 1/s)
})

test('ratio samplers select the same share of traces everywhere, and parent-based samplers follow the parent', () => {
  const ids = Array.from({ length: 2_000 }, () => newTraceparent().slice(3, 35))
  const sampler = (name: string, share = '0.25') =>
    createSampler(configOf({ OTEL_TRACES_SAMPLER: name, OTEL_TRACES_SAMPLER_ARG: share }))
  const ratio = sampler('traceidratio')
  const sampled = ids.filter(id => ratio(id, undefined))
  assert.ok(sampled.length > 300 && sampled.length < 700, `${sampled.length} of 2000`)
  assert.deepEqual(
    ids.filter(id => sampler('parentbased_traceidratio')(id, undefined)),
    sampled
  )
  const [id = ''] = ids
  assert.equal(sampler('parentbased_traceidratio', '0')(id, true), true)
  assert.equal(sampler('parentbased_always_on')(id, false), false)
  assert.equal(sampler('always_on')(id, false), true)
  assert.equal(sampler('always_off')(id, true), false)
})

test('the sampling decision is propagated in the flags', async t => {
  const { url } = await startReceiver(t)
  const spans = await startTracing(
    configOf({ OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_TRACES_SAMPLER: 'parentbased_always_off' }),
    traced
  )
  assert.equal(isSampled(spans?.begin(undefined)), false)
  assert.equal(isSampled(spans?.begin(newTraceparent())), true)
  await spans?.stop()
})
