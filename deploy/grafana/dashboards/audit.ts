import type { DashboardSpec } from '../dashboard.ts'
import { rateOf, ratesBy } from '../queries.ts'

export const audit: DashboardSpec = {
  uid: 'audit',
  title: 'audit',
  description: 'Kafka Connect, where it runs: whether every event becomes a row.',
  rows: [
    {
      title: 'The sink',
      panels: [
        {
          title: 'Tasks',
          description: 'By state. One that has failed is started again; one that fails again and again is an alert.',
          unit: 'short',
          alert: 'OrderlyAuditStopped',
          queries: [{ expr: 'sum by (state) (kafka_connect_tasks)', legend: '{{ state }}' }]
        },
        {
          title: 'Lag',
          description: 'How long the record that waits longest has waited for its row.',
          unit: 's',
          alert: 'OrderlyLagTooOld',
          limit: 300,
          queries: [
            { expr: 'max by (topic) (orderly_consumer_lag_seconds{group="connect-audit"})', legend: '{{ topic }}' }
          ]
        },
        {
          title: 'Records',
          description: 'Read and written a second. What is no event is read and not written.',
          unit: 'ops',
          queries: [
            { expr: rateOf('kafka_connect_records_read_total', 'connector'), legend: 'read {{ connector }}' },
            { expr: rateOf('kafka_connect_records_written_total', 'connector'), legend: 'written {{ connector }}' }
          ]
        },
        {
          title: 'Duration of a write',
          description: 'Of a batch, over the last half minute.',
          unit: 's',
          queries: [
            { expr: 'max by (connector) (kafka_connect_put_avg_seconds)', legend: 'mean {{ connector }}' },
            { expr: 'max by (connector) (kafka_connect_put_max_seconds)', legend: 'longest {{ connector }}' }
          ]
        },
        {
          title: 'Errors and retries',
          description: 'A second. Errors are attempts that failed, failures what was given up.',
          unit: 'ops',
          queries: ratesBy('kafka_connect_errors_total', 'kind')
        },
        {
          title: 'Dead letters',
          description: 'Written to audit.dlq since the task started, and those that could not be.',
          unit: 'short',
          queries: [{ expr: 'sum by (kind) (kafka_connect_dead_letters_total)', legend: '{{ kind }}' }]
        }
      ]
    }
  ]
}
