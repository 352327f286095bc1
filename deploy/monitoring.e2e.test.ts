import assert from 'node:assert/strict'
import { type ChildProcess, execFile } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { createProducer } from '@orderly/kafka'
import { waitUntil } from '@orderly/launcher'
import { programsOrSkip } from '@orderly/launcher/testing'
import { startMonitoredStack } from './testing/monitored-stack.ts'
import { panelQueries } from './testing/panel-queries.ts'
import { prometheusAPI } from './testing/prometheus-api.ts'
import { type ReceivedSpan, startAlertReceiver, startFailingEndpoint, startTraceReceiver } from './testing/receivers.ts'

const services = ['order', 'inventory', 'notification', 'aggregator', 'monitor']

/** Starts the stack once; each subtest checks a different part of it. */
test('a monitored stack has complete traces, data in every panel, and alerts when the inventory is frozen', async t => {
  const programs = programsOrSkip(t, 'prometheus', 'alertmanager', 'promtool')
  if (programs === undefined) return
  const [traces, alerts, endpoint] = await Promise.all([
    startTraceReceiver(t),
    startAlertReceiver(t),
    startFailingEndpoint(t, 3)
  ])
  const stack = await startMonitoredStack(t, {
    ORDERLY_SCRAPE_INTERVAL: '1s',
    ORDERLY_ALERTS_FOR: '0s',
    ORDERLY_ALERT_WEBHOOK_URL: alerts.url,
    MONITOR_INTERVAL_MS: '1000',
    OTEL_EXPORTER_OTLP_ENDPOINT: traces.url,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    OTEL_BSP_SCHEDULE_DELAY: '200',
    NOTIFICATION_SINKS: 'console,webhook',
    NOTIFICATION_RETRY_INITIAL_MS: '200',
    WEBHOOK_URLS: `shop=${endpoint.url}`,
    WEBHOOK_SECRETS: `shop=whsec_${randomBytes(24).toString('base64')}`,
    WEBHOOK_ALLOWED_NETWORKS: '127.0.0.0/8'
  })
  const prometheus = prometheusAPI(stack.prometheusURL)
  const order = { userID: 'ada', items: [{ sku: 'TEA-EARL-GREY-100G', quantity: 2 }], total: 13.8 }
  stack.keepOrdering()

  await t.test('one order has one trace, from the request through each record to each notification', async () => {
    const traceID = randomBytes(16).toString('hex')
    const caller = randomBytes(8).toString('hex')
    assert.equal(await stack.order(order, { traceparent: `00-${traceID}-${caller}-01` }), 202)
    const own = () => traces.items.filter(({ traceId }) => traceId === traceID)
    const steps = [
      ['order', 'POST /orders'],
      ['order', 'send orders.created'],
      ['inventory', 'process orders.created'],
      ['inventory', 'send inventory.reserved'],
      ['notification', 'process inventory.reserved'],
      ['notification', 'deliver console']
    ] as const
    const has = ([service, name]: (typeof steps)[number]) =>
      own().some(span => span.service === service && span.name === name)
    const beside = [
      ['aggregator', 'process orders.created'],
      ['order', 'process orders.created'],
      ['order', 'process inventory.reserved'],
      ['notification', 'deliver webhook:shop']
    ] as const
    const isThere = () => [...steps, ...beside].every(step => has(step as (typeof steps)[number]))
    await waitUntil(isThere, { what: 'every step of the order', deadlineMs: 60_000 }).catch(error => {
      throw new Error(
        `${error.message}; there are ${own()
          .map(span => `${span.service} ${span.name}`)
          .join(', ')}`
      )
    })
    const spanIDs = new Set(own().map(({ spanId }) => spanId))
    for (const { name, parentSpanId } of own()) {
      assert.ok(parentSpanId !== undefined && (parentSpanId === caller || spanIDs.has(parentSpanId)), `${name} is lost`)
    }
    // Follows the parents from the delivery to the caller.
    let span: ReceivedSpan | undefined = own().find(({ name }) => name === 'deliver console')
    const chain: (readonly [string, string])[] = []
    while (span !== undefined) {
      const { service, name, parentSpanId }: ReceivedSpan = span
      chain.unshift([service, name])
      if (parentSpanId === caller) break
      span = own().find(({ spanId }) => spanId === parentSpanId)
    }
    assert.deepEqual(chain, steps)
    const sent = own().find(({ name }) => name === 'send orders.created')
    const isOfBatch = ({ links = [] }: ReceivedSpan) => links.some(({ spanId }) => spanId === sent?.spanId)
    await waitUntil(() => traces.items.some(span => span.name === 'process orders-created' && isOfBatch(span)), {
      what: 'a batch that links to the order',
      deadlineMs: 10_000
    })
  })

  await t.test('every job is scraped', async () => {
    const page = await fetch(`${stack.prometheusURL}/api/v1/targets`, { headers: { origin: 'http://page.example' } })
    assert.equal(page.headers.get('access-control-allow-origin'), null, 'no page of another origin reads metrics')
    const jobs = [...services, 'kafka', 'connect', 'prometheus', 'alertmanager']
    // Prometheus is ready before its target list is built, so an empty list is not a result yet.
    const targets = async () => (await prometheus.targets()).map(({ labels, health }) => `${labels.job}: ${health}`)
    const isUp = async () => isDeepStrictEqual(new Set(await targets()), new Set(jobs.map(job => `${job}: up`)))
    await waitUntil(isUp, { what: 'all targets being up', deadlineMs: 120_000 }).catch(async error => {
      throw new Error(`${error.message}; there are ${(await targets()).join(', ')}`)
    })
  })

  await t.test('the metric names of every service follow the Prometheus conventions', async () => {
    for (const { labels } of (await prometheus.targets()).filter(({ labels }) => services.includes(labels.job))) {
      const checking: ChildProcess = execFile(programs.promtool, ['check', 'metrics'])
      checking.stdin?.end(await (await fetch(`http://${labels.instance}/metrics`)).text())
      const [complaints] = await Promise.all([text(checking.stderr as Readable), once(checking, 'close')])
      assert.equal(complaints, '', labels.job)
      assert.equal(checking.exitCode, 0, labels.job)
    }
  })

  await t.test('every query of every panel has data', async () => {
    const key = randomUUID()
    for (let count = 0; count < 2; count++) assert.equal(await stack.order(order, { 'idempotency-key': key }), 202)
    assert.equal(await stack.order({ ...order, total: 1.005 }), 400)
    const manyPots = { userID: 'bob', items: [{ sku: 'TEAPOT-CAST-IRON', quantity: 1_000 }], total: 1 }
    assert.equal(await stack.order(manyPots), 202)
    assert.equal(await stack.order({ ...order, holdSeconds: 1 }), 202)
    for (const changeRequest of ['cancel', 'confirm'] as const)
      await stack.ask(changeRequest, { ...order, holdSeconds: 600 })
    await sendRubbish(stack.brokers)
    // Longer than Grafana's four scrapes: on a busy machine a scrape may be late.
    const queries = panelQueries('20s')
    assert.ok(queries.length > 70, `${queries.length} queries`)
    let empty = queries
    const isFull = async () => {
      const answers = await Promise.all(empty.map(({ expr }) => prometheus.query(expr)))
      empty = empty.filter((_, index) => answers[index]?.every(({ value }) => value[1] === 'NaN') !== false)
      return empty.length === 0
    }
    await waitUntil(isFull, { what: 'data in every panel', deadlineMs: 90_000, intervalMs: 1_000 }).catch(() => {})
    assert.deepEqual(empty, [])
    const expired = 'sum(orderly_inventory_changes_total{change="expire",effect="released"}) == 1'
    const hasExpired = async () => (await prometheus.query(expired)).length > 0
    await waitUntil(hasExpired, { what: 'the end of a hold', deadlineMs: 30_000 })
  })

  await t.test('requests, batches, outcomes and deliveries link to their traces by exemplars', async () => {
    for (const histogram of [
      'orderly_http_request_duration_seconds_bucket{route="/orders"}',
      'orderly_stage_record_age_seconds_bucket{service="inventory"}',
      'orderly_stage_batch_duration_seconds_bucket{service="inventory",step="commit"}',
      'orderly_notification_delivery_duration_seconds_bucket{target="console"}'
    ]) {
      const series = await prometheus.exemplars(histogram)
      const known = new Set(traces.items.map(({ traceId }) => traceId))
      const exemplars = series.flatMap(({ exemplars }) => exemplars.map(({ labels }) => labels.trace_id ?? ''))
      assert.ok(
        exemplars.some(traceID => known.has(traceID)),
        histogram
      )
    }
  })

  await t.test('no metric has a label with a value per order, user or run', async () => {
    const series = await prometheus.series('{service!=""}')
    const isUnbounded = (value: string) => /[0-9a-f]{8}-[0-9a-f]{4}-|[0-9a-f]{32}|^(ada|bob|user-\d+)$/.test(value)
    assert.deepEqual(
      series.filter(labels => Object.values(labels).some(isUnbounded)),
      []
    )
  })

  await t.test('a frozen inventory fires the lag alert, which reaches the webhook', async t => {
    t.after(await stack.freezeInventory())
    const find = (alertname: string, label: string, value: string) =>
      alerts.items.find(({ labels }) => labels.alertname === alertname && labels[label] === value)
    // Another topic of the group may lag as well, by a marker that the frozen inventory did not
    // pass.
    const lag = () =>
      alerts.items.find(
        ({ labels }) =>
          labels.alertname === 'OrderlyConsumerLagHigh' &&
          labels.group === 'orders-created' &&
          labels.topic === 'orders.created'
      )
    // Alertmanager sends each alert in a separate group. A group that was notified a moment ago
    // waits for a minute.
    const areThere = () => lag() !== undefined && find('OrderlyServiceDown', 'job', 'inventory') !== undefined
    await waitUntil(areThere, { what: 'the alerts at the webhook', deadlineMs: 150_000 })
    assert.equal(lag()?.status, 'firing')
    assert.equal(lag()?.annotations.runbook, 'docs/runbooks/OrderlyConsumerLagHigh.md')
  })
})

async function sendRubbish(brokers: readonly string[]): Promise<void> {
  const producer = await createProducer({ brokers, clientID: 'monitoring-test' })
  try {
    await producer.send([{ topic: 'orders.created', key: 'mallory', value: Buffer.from('rubbish'), headers: {} }])
  } finally {
    await producer.close()
  }
}
