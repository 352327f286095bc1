import type { DashboardSpec } from '../dashboard.ts'
import { rateOf, ratesBy } from '../queries.ts'

const accepted = 'orderly_orders_placed_total{outcome="accepted"}'

export const overview: DashboardSpec = {
  uid: 'overview',
  title: 'overview',
  description: 'Orders, outcomes and notifications, and the health of all processes.',
  rows: [
    {
      title: 'Now',
      panels: [
        {
          title: 'Orders',
          description: 'Accepted orders per second.',
          unit: 'ops',
          alert: 'OrderlyNoOrders',
          isStat: true,
          queries: [{ expr: rateOf(accepted), legend: 'orders' }]
        },
        {
          title: 'Oldest record',
          description: 'Age of the oldest record that any group has not processed.',
          unit: 's',
          alert: 'OrderlyConsumerLagHigh',
          limit: 30,
          isStat: true,
          queries: [{ expr: 'max(orderly_consumer_lag_seconds)', legend: 'age' }]
        },
        {
          title: 'Errors',
          description: 'Share of requests to the order service that were answered 5xx.',
          unit: 'percentunit',
          alert: 'OrderlyErrorRate',
          limit: 0.05,
          isStat: true,
          queries: [{ expr: 'orderly:http_error:ratio_rate5m{service="order"}', legend: 'errors' }]
        },
        {
          title: 'Slow outcomes',
          description: 'Share of orders without an outcome within a second. The objective allows 1 %.',
          unit: 'percentunit',
          alert: 'OrderlyOrderLatencyBudgetBurnSlow',
          limit: 0.01,
          isStat: true,
          queries: [{ expr: 'orderly:outcome_slow:ratio_rate5m', legend: 'slow' }]
        },
        {
          title: 'Dead letters',
          description: 'Pending: neither replayed nor dropped.',
          unit: 'short',
          isStat: true,
          queries: [{ expr: 'sum(max by (topic) (orderly_dead_letters_waiting))', legend: 'dead letters' }]
        },
        {
          title: 'Alerts',
          description: 'Firing alerts; the list is below.',
          unit: 'short',
          limit: 1,
          isStat: true,
          queries: [{ expr: 'count(ALERTS{alertstate="firing"}) or 0 * count(up)', legend: 'firing' }]
        }
      ]
    },
    {
      title: 'Pipeline',
      panels: [
        {
          title: 'Orders',
          description: 'Order requests by result.',
          unit: 'ops',
          queries: ratesBy('orderly_orders_placed_total', 'outcome')
        },
        {
          title: 'Outcomes',
          description: 'Outcomes decided by the inventory.',
          unit: 'ops',
          queries: ratesBy('orderly_inventory_outcomes_total', 'kind')
        },
        {
          title: 'Notifications',
          description: 'Notifications delivered, by target.',
          unit: 'ops',
          queries: ratesBy('orderly_notifications_delivered_total', 'target')
        }
      ]
    },
    {
      title: 'Processes',
      panels: [
        {
          title: 'Firing alerts',
          description: 'Each alert has a runbook of the same name in docs/runbooks.',
          unit: 'short',
          queries: [
            {
              expr: 'sum by (alertname) (ALERTS{alertstate="firing"}) or 0 * count(up)',
              legend: '{{ alertname }}'
            }
          ]
        },
        {
          title: 'Reachable instances',
          description: 'Instances that respond, by job.',
          unit: 'short',
          alert: 'OrderlyServiceDown',
          queries: [{ expr: 'sum by (job) (up)', legend: '{{ job }}' }]
        },
        {
          title: 'CPU',
          description: 'Cores in use.',
          unit: 'short',
          queries: ratesBy('process_cpu_seconds_total', 'job')
        },
        {
          title: 'Memory',
          description: 'Resident memory.',
          unit: 'bytes',
          queries: [{ expr: 'sum by (job) (process_resident_memory_bytes)', legend: '{{ job }}' }]
        },
        {
          title: 'Event-loop delay',
          description: '99th percentile. More than about 10 ms delays everything in the process.',
          unit: 's',
          alert: 'OrderlyEventLoopBlocked',
          limit: 0.5,
          queries: [{ expr: 'max by (service) (nodejs_eventloop_lag_p99_seconds)', legend: '{{ service }}' }]
        },
        {
          title: 'Garbage collection',
          description: 'Share of time spent in garbage collection.',
          unit: 'percentunit',
          queries: ratesBy('nodejs_gc_duration_seconds_sum', 'service')
        },
        {
          title: 'Partitions',
          description: 'Partitions assigned to the instances of each service.',
          unit: 'short',
          queries: [{ expr: 'sum by (service) (orderly_stage_partitions)', legend: '{{ service }}' }]
        }
      ]
    }
  ]
}
