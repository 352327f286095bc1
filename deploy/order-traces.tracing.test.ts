/** Reads the traces of one order from a real Jaeger (`npm run test:tracing`). */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { orderlyDirectory, waitUntil } from '@orderly/launcher'
import { startLauncher } from '@orderly/launcher/testing'
import { type StoredSpan, startJaegerOrSkip } from './testing/jaeger.ts'

/** Each span of an order and its parent, as in docs/guides/monitor.md. */
const expected = [
  'order: POST /orders',
  'order: send orders.created < order: POST /orders',
  'inventory: process orders.created < order: send orders.created',
  'inventory: send inventory.reserved < inventory: process orders.created',
  'notification: process inventory.reserved < inventory: send inventory.reserved',
  'notification: deliver console < notification: process inventory.reserved',
  'order: process inventory.reserved < inventory: send inventory.reserved',
  'aggregator: process orders.created < order: send orders.created',
  'order: process orders.created < order: send orders.created'
]

/** Span of a batch, with the span that sent the order's record to it. */
const batches = [
  ['inventory', 'process orders-created', 'order: send orders.created'],
  ['notification', 'process notifications', 'inventory: send inventory.reserved'],
  ['aggregator', 'process order-rate', 'order: send orders.created']
] as const

test('one order is one trace in Jaeger without orphans, and the batches link to its records', async t => {
  const jaeger = await startJaegerOrSkip(t)
  if (jaeger === undefined) return
  const name = `tracing-${randomBytes(4).toString('hex')}`
  const launcher = startLauncher(t, 'start', ['--run', name, '--free-ports'], {
    OTEL_EXPORTER_OTLP_ENDPOINT: jaeger.otlpURL,
    OTEL_BSP_SCHEDULE_DELAY: '200'
  })
  // Hooks run in order, so the launcher has stopped.
  t.after(() => rm(join(orderlyDirectory, name), { recursive: true, force: true }))
  await launcher.waitFor('Ctrl-C stops everything', 240_000)
  const orderURL = /^order +(http:\S+)/m.exec(launcher.output().stdout)?.[1]
  const response = await fetch(`${orderURL}/orders`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ userID: 'ada', items: [{ sku: 'TEA-EARL-GREY-100G', quantity: 2 }], total: 13.8 })
  })
  assert.equal(response.status, 202, await response.text())

  let traces: StoredSpan[][] = []
  const isComplete = async () => {
    traces = await jaeger.traces('order', 'POST /orders')
    const names = new Set(traces.flat().map(nameOf))
    return expected.every(line => names.has(line.split(' < ')[0] ?? ''))
  }
  await waitUntil(isComplete, { what: 'every span of the order', deadlineMs: 120_000 }).catch(error => {
    throw new Error(`${error.message}; there are ${traces.flat().map(nameOf).join(', ')}`)
  })
  assert.equal(traces.length, 1, 'one order has one trace')
  const trace = traces[0] ?? []
  assert.deepEqual(linesOf(trace), expected.toSorted())

  for (const [service, operation, sender] of batches) {
    const sent = trace.find(span => nameOf(span) === sender)
    let batch: StoredSpan[] | undefined
    const isThere = async () => {
      const all = await jaeger.traces(service, operation)
      batch = all.find(spans => spans.some(span => refersTo(span, 'FOLLOWS_FROM', sent)))
      return batch?.some(span => span.operationName.startsWith('commit ')) === true
    }
    await waitUntil(isThere, { what: `${operation} with a link to the order`, deadlineMs: 60_000 })
    const commit = `${service}: ${operation.replace('process', 'commit')} < ${service}: ${operation}`
    assert.deepEqual(linesOf(batch ?? []), [commit, `${service}: ${operation}`])
    const record = trace.find(span => refersTo(span, 'FOLLOWS_FROM', batch?.find(isRoot)))
    assert.equal(record?.service, service, `a record of ${service} links to its batch`)
  }
})

const nameOf = ({ service, operationName }: StoredSpan) => `${service}: ${operationName}`
const isRoot = (span: StoredSpan) => !span.references.some(({ refType }) => refType === 'CHILD_OF')

function refersTo({ references }: StoredSpan, type: string, other: StoredSpan | undefined): boolean {
  return references.some(
    ({ refType, traceID, spanID }) => refType === type && traceID === other?.traceID && spanID === other.spanID
  )
}

/** Returns the name of each span with that of its parent. */
function linesOf(trace: readonly StoredSpan[]): string[] {
  const lines = trace.map(span => {
    if (isRoot(span)) return nameOf(span)
    const parent = trace.find(other => refersTo(span, 'CHILD_OF', other))
    return `${nameOf(span)} < ${parent === undefined ? 'NO PARENT' : nameOf(parent)}`
  })
  return [...new Set(lines)].toSorted()
}
