import type { DashboardSpec } from '../dashboard.ts'
import { rateOf, ratesBy } from '../queries.ts'

export const audit: DashboardSpec = {
  uid: 'audit',
  title: 'audit',
  description: 'Audit by Kafka Connect (optional): every event becomes a row.',
  rows: [
    {
      title: 'Sink',
      panels: [
        {
          title: 'Tasks',
          description: 'Tasks by state. A failed task is restarted; one that fails repeatedly raises an alert.',
          unit: 'short',
          alert: 'OrderlyAuditStopped',
          queries: [{ expr: 'sum by (state) (kafka_connect_tasks)', legend: '{{ state }}' }]
        },
        {
          title: 'Unfinished records',
          description:
            'Records that were read and have no row yet. Without progress for 10 minutes they raise the alert.',
          unit: 'short',
          alert: 'OrderlyAuditStopped',
          queries: [{ expr: 'sum by (connector) (kafka_connect_records_active)', legend: '{{ connector }}' }]
        },
        {
          title: 'Records',
          description: 'Records read and written per second. Records that are not events are read but not written.',
          unit: 'ops',
          queries: [
            { expr: rateOf('kafka_connect_records_read_total', 'connector'), legend: 'read {{ connector }}' },
            { expr: rateOf('kafka_connect_records_written_total', 'connector'), legend: 'written {{ connector }}' }
          ]
        },
        {
          title: 'Write duration',
          description: 'Duration of one batch write, over the last 30 seconds.',
          unit: 's',
          queries: [
            { expr: 'max by (connector) (kafka_connect_put_avg_seconds)', legend: 'mean {{ connector }}' },
            { expr: 'max by (connector) (kafka_connect_put_max_seconds)', legend: 'longest {{ connector }}' }
          ]
        },
        {
          title: 'Errors and retries',
          description: 'Per second. Errors are failed attempts; failures are records that were not written.',
          unit: 'ops',
          queries: ratesBy('kafka_connect_errors_total', 'kind')
        },
        {
          title: 'Dead letters',
          description: 'Dead letters written to audit.dlq since the task started, and failed attempts to write them.',
          unit: 'short',
          queries: [{ expr: 'sum by (kind) (kafka_connect_dead_letters_total)', legend: '{{ kind }}' }]
        }
      ]
    }
  ]
}
