import type { DashboardSpec } from '../dashboard.ts'
import { rateOf, ratesBy } from '../queries.ts'

export const errors: DashboardSpec = {
  uid: 'errors',
  title: 'errors',
  description: 'What fails, what is tried again, what is given up, and what came twice and made no difference.',
  rows: [
    {
      title: 'Requests',
      panels: [
        {
          title: 'Answers',
          description: 'Requests a second by status.',
          unit: 'reqps',
          queries: ratesBy('orderly_http_request_duration_seconds_count', 'service', 'status')
        },
        {
          title: 'Problems',
          description: 'By code: what callers did wrong, and what we could not do.',
          unit: 'reqps',
          queries: ratesBy('orderly_http_problems_total', 'code')
        },
        {
          title: 'Share of errors',
          description: '5xx. Above 5 % somebody is woken.',
          unit: 'percentunit',
          alert: 'OrderlyErrorRate',
          limit: 0.05,
          queries: [{ expr: 'orderly:http_error:ratio_rate5m', legend: '{{ service }}' }]
        }
      ]
    },
    {
      title: 'Stages',
      panels: [
        {
          title: 'Tried again',
          description: 'Attempts that failed for a passing reason: the database, the registry.',
          unit: 'ops',
          alert: 'OrderlyStageFailing',
          limit: 0.2,
          queries: ratesBy('orderly_stage_retries_total', 'service')
        },
        {
          title: 'Aborted batches',
          description: 'Transactions given up and read again, by reason. Rebalances make some.',
          unit: 'ops',
          alert: 'OrderlyStageFailing',
          limit: 0.2,
          queries: ratesBy('orderly_stage_aborted_batches_total', 'service', 'reason')
        },
        {
          title: 'Parked records',
          description: 'Put into a dead-letter topic by a service since it started, by reason.',
          unit: 'short',
          queries: [
            {
              expr: 'sum by (service, topic, reason) (orderly_stage_parked_records_total)',
              legend: '{{ service }} {{ topic }} {{ reason }}'
            }
          ]
        },
        {
          title: 'Dead letters',
          description: 'Waiting in each dead-letter topic: neither replayed nor dropped.',
          unit: 'short',
          queries: [{ expr: 'max by (topic) (orderly_dead_letters_waiting)', legend: '{{ topic }}' }]
        },
        {
          title: 'Age of dead letters',
          description: 'Age of the oldest record that waits in each dead-letter topic.',
          unit: 's',
          alert: 'OrderlyDeadLetters',
          limit: 300,
          queries: [{ expr: 'max by (topic) (orderly_dead_letters_oldest_age_seconds)', legend: '{{ topic }}' }]
        },
        {
          title: 'Blocked keys',
          description: 'Users whose later records become dead letters as well. Blocked orders page.',
          unit: 'short',
          alert: 'OrderlyOrdersBlocked',
          limit: 1,
          queries: [{ expr: 'max by (topic) (orderly_dead_letters_blocked_keys)', legend: '{{ topic }}' }]
        },
        {
          title: 'Failed deliveries',
          description: 'Attempts that failed and will be made again.',
          unit: 'ops',
          queries: ratesBy('orderly_notification_failures_total', 'target', 'code')
        },
        {
          title: 'Starts of processes',
          description: 'In the last hour.',
          unit: 'short',
          queries: [{ expr: 'sum by (job) (changes(process_start_time_seconds[1h]))', legend: '{{ job }}' }]
        }
      ]
    },
    {
      title: 'Came twice, and made no difference',
      panels: [
        {
          title: 'Orders with a known key',
          description: 'Answered with the order that there is.',
          unit: 'ops',
          queries: [{ expr: rateOf('orderly_orders_placed_total{outcome="replayed"}'), legend: 'replayed' }]
        },
        {
          title: 'Outcomes and counts',
          description: 'Batches that came again after a failed commit.',
          unit: 'ops',
          queries: [
            { expr: rateOf('orderly_inventory_replayed_outcomes_total'), legend: 'outcomes repeated' },
            { expr: rateOf('orderly_aggregator_orders_total{kind="repeated"}'), legend: 'orders counted before' }
          ]
        },
        {
          title: 'Notifications',
          description: 'Deliveries that the ledger had already.',
          unit: 'ops',
          queries: [{ expr: rateOf('orderly_notification_duplicates_suppressed_total'), legend: 'suppressed' }]
        }
      ]
    }
  ]
}
