import type { DashboardSpec } from '../dashboard.ts'
import { rateOf, ratesBy } from '../queries.ts'

export const errors: DashboardSpec = {
  uid: 'errors',
  title: 'errors',
  description: 'Failures, retries, dead letters, and suppressed duplicates.',
  rows: [
    {
      title: 'Requests',
      panels: [
        {
          title: 'Responses',
          description: 'Requests per second, by status.',
          unit: 'reqps',
          queries: ratesBy('orderly_http_request_duration_seconds_count', 'service', 'status')
        },
        {
          title: 'Problems',
          description: 'Problem responses by code: errors of callers and of Orderly.',
          unit: 'reqps',
          queries: ratesBy('orderly_http_problems_total', 'code')
        },
        {
          title: 'Error rate',
          description: 'Share of 5xx responses. Above 5 % the alert pages.',
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
          title: 'Retries',
          description: 'Attempts that failed with a transient error, such as an unavailable database or registry.',
          unit: 'ops',
          alert: 'OrderlyStageFailing',
          limit: 0.2,
          queries: ratesBy('orderly_stage_retries_total', 'service')
        },
        {
          title: 'Aborted batches',
          description: 'Batches aborted and read again, by reason. Rebalances cause some.',
          unit: 'ops',
          alert: 'OrderlyStageFailing',
          limit: 0.2,
          queries: ratesBy('orderly_stage_aborted_batches_total', 'service', 'reason')
        },
        {
          title: 'New dead letters',
          description: 'Dead letters written by a service since it started, by reason.',
          unit: 'short',
          queries: [
            {
              expr: 'sum by (service, topic, reason) (orderly_stage_dead_letters_total)',
              legend: '{{ service }} {{ topic }} {{ reason }}'
            }
          ]
        },
        {
          title: 'Dead letters',
          description: 'Pending dead letters in each topic: neither replayed nor dropped.',
          unit: 'short',
          queries: [{ expr: 'max by (topic) (orderly_dead_letters_waiting)', legend: '{{ topic }}' }]
        },
        {
          title: 'Age of dead letters',
          description: 'Age of the oldest pending dead letter in each topic.',
          unit: 's',
          alert: 'OrderlyDeadLetters',
          limit: 300,
          queries: [{ expr: 'max by (topic) (orderly_dead_letters_oldest_age_seconds)', legend: '{{ topic }}' }]
        },
        {
          title: 'Blocked keys',
          description: 'Keys whose later records also become dead letters. Blocked orders page.',
          unit: 'short',
          alert: 'OrderlyOrdersBlocked',
          limit: 1,
          queries: [{ expr: 'max by (topic) (orderly_dead_letters_blocked_keys)', legend: '{{ topic }}' }]
        },
        {
          title: 'Uncounted dead-letter topics',
          description: 'Dead-letter topics with records that no running service counts.',
          unit: 'short',
          alert: 'OrderlyDeadLettersUncounted',
          limit: 1,
          queries: [
            {
              expr: 'sum by (topic) (orderly_kafka_partition_end_offset{topic=~".+[.]dlq"}) > 0 unless on (topic) max by (topic) (orderly_dead_letters_waiting) or 0 * count(up)',
              legend: '{{ topic }}'
            }
          ]
        },
        {
          title: 'Failed deliveries',
          description: 'Failed delivery attempts that will be retried.',
          unit: 'ops',
          queries: ratesBy('orderly_notification_failures_total', 'target', 'code')
        },
        {
          title: 'Process starts',
          description: 'Process starts in the last hour.',
          unit: 'short',
          queries: [{ expr: 'sum by (job) (changes(process_start_time_seconds[1h]))', legend: '{{ job }}' }]
        }
      ]
    },
    {
      title: 'Suppressed duplicates',
      panels: [
        {
          title: 'Replayed orders',
          description: 'Requests with a known idempotency key, answered with the existing order.',
          unit: 'ops',
          queries: [{ expr: rateOf('orderly_orders_placed_total{outcome="replayed"}'), legend: 'replayed' }]
        },
        {
          title: 'Repeated outcomes and counts',
          description: 'Records processed again after a failed commit.',
          unit: 'ops',
          queries: [
            { expr: rateOf('orderly_inventory_replayed_outcomes_total'), legend: 'outcomes repeated' },
            { expr: rateOf('orderly_aggregator_orders_total{kind="repeated"}'), legend: 'orders counted before' }
          ]
        },
        {
          title: 'Notifications',
          description: 'Deliveries that were already in the delivery table.',
          unit: 'ops',
          queries: [{ expr: rateOf('orderly_notification_duplicates_suppressed_total'), legend: 'suppressed' }]
        }
      ]
    }
  ]
}
