import type { DashboardSpec } from '../dashboard.ts'
import { rateOf, ratesBy } from '../queries.ts'

const accepted = 'orderly_orders_placed_total{outcome="accepted"}'

export const overview: DashboardSpec = {
  uid: 'overview',
  title: 'overview',
  description: 'Whether orders come in, get their outcome and are told, and whether everything is there.',
  rows: [
    {
      title: 'Now',
      panels: [
        {
          title: 'Orders',
          description: 'Accepted a second.',
          unit: 'ops',
          alert: 'OrderlyNoOrders',
          isStat: true,
          queries: [{ expr: rateOf(accepted), legend: 'orders' }]
        },
        {
          title: 'Waits longest',
          description: 'The oldest record that any group has not processed.',
          unit: 's',
          alert: 'OrderlyLagTooOld',
          limit: 30,
          isStat: true,
          queries: [{ expr: 'max(orderly_consumer_lag_seconds)', legend: 'age' }]
        },
        {
          title: 'Errors',
          description: 'The share of requests to the order service that were answered 5xx.',
          unit: 'percentunit',
          alert: 'OrderlyErrorRate',
          limit: 0.05,
          isStat: true,
          queries: [{ expr: 'orderly:http_error:ratio_rate5m{service="order"}', legend: 'errors' }]
        },
        {
          title: 'Slow outcomes',
          description: 'The share of orders without an outcome within a second. The objective allows 1 %.',
          unit: 'percentunit',
          alert: 'OrderlyOutcomesSlow',
          limit: 0.01,
          isStat: true,
          queries: [{ expr: 'orderly:outcome_slow:ratio_rate5m', legend: 'slow' }]
        },
        {
          title: 'Dead letters',
          description: 'Waiting: neither replayed nor dropped.',
          unit: 'short',
          isStat: true,
          queries: [{ expr: 'sum(orderly_dead_letters_waiting)', legend: 'dead letters' }]
        },
        {
          title: 'Alerts',
          description: 'Firing. Which: below.',
          unit: 'short',
          limit: 1,
          isStat: true,
          queries: [{ expr: 'count(ALERTS{alertstate="firing"}) or 0 * count(up)', legend: 'firing' }]
        }
      ]
    },
    {
      title: 'The way of an order',
      panels: [
        {
          title: 'Orders',
          description: 'By what became of the request.',
          unit: 'ops',
          queries: ratesBy('orderly_orders_placed_total', 'outcome')
        },
        {
          title: 'Outcomes',
          description: 'What the inventory decided.',
          unit: 'ops',
          queries: ratesBy('orderly_inventory_outcomes_total', 'kind')
        },
        {
          title: 'Notifications',
          description: 'What targets took.',
          unit: 'ops',
          queries: ratesBy('orderly_notifications_delivered_total', 'target')
        }
      ]
    },
    {
      title: 'The processes',
      panels: [
        {
          title: 'Alerts that fire',
          description: 'Each has a page of its name in docs/runbooks: what it means, how to look and what to do.',
          unit: 'short',
          queries: [
            {
              expr: 'sum by (alertname) (ALERTS{alertstate="firing"}) or 0 * count(up)',
              legend: '{{ alertname }}'
            }
          ]
        },
        {
          title: 'There',
          description: 'Instances that answer, by job.',
          unit: 'short',
          alert: 'OrderlyServiceDown',
          queries: [{ expr: 'sum by (job) (up)', legend: '{{ job }}' }]
        },
        {
          title: 'Processor',
          description: 'Cores in use.',
          unit: 'short',
          queries: ratesBy('process_cpu_seconds_total', 'job')
        },
        {
          title: 'Memory',
          description: 'Resident.',
          unit: 'bytes',
          queries: [{ expr: 'sum by (job) (process_resident_memory_bytes)', legend: '{{ job }}' }]
        },
        {
          title: 'Delay of the event loop',
          description: '99th percentile. Above some ten milliseconds everything waits for it.',
          unit: 's',
          alert: 'OrderlyEventLoopBlocked',
          limit: 0.5,
          queries: [{ expr: 'max by (service) (nodejs_eventloop_lag_p99_seconds)', legend: '{{ service }}' }]
        },
        {
          title: 'Garbage collection',
          description: 'The share of time.',
          unit: 'percentunit',
          queries: ratesBy('nodejs_gc_duration_seconds_sum', 'service')
        },
        {
          title: 'Partitions',
          description: 'That each service reads: all of them, dealt out among its instances.',
          unit: 'short',
          queries: [{ expr: 'sum by (service) (orderly_stage_partitions)', legend: '{{ service }}' }]
        }
      ]
    }
  ]
}
