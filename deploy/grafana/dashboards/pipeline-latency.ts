import type { DashboardSpec } from '../dashboard.ts'
import { medianAndTail, percentiles } from '../queries.ts'

const age = (service: string) => `orderly_stage_record_age_seconds{service="${service}"}`

export const pipelineLatency: DashboardSpec = {
  uid: 'pipeline-latency',
  title: 'pipeline latency',
  description: 'Time of an order from the request to the notification, by step.',
  rows: [
    {
      title: 'End to end',
      panels: [
        {
          title: 'Request',
          description: 'POST /orders, from the request to the response.',
          unit: 's',
          queries: percentiles('orderly_http_request_duration_seconds{service="order",route="/orders",method="POST"}', {
            hasExemplars: true
          })
        },
        {
          title: 'Outcome',
          description: 'Time from storing the order to storing its outcome. Objective: 99 % within a second.',
          unit: 's',
          queries: percentiles(age('inventory'), { hasExemplars: true })
        },
        {
          title: 'Notification',
          description: 'Time from the acceptance of a notification to its delivery.',
          unit: 's',
          queries: medianAndTail('orderly_notification_delay_seconds', 'target')
        },
        {
          title: 'Slow outcomes',
          description: 'Share of orders without an outcome within a second, as used by alerts. Allowed: 1 %.',
          unit: 'percentunit',
          alert: 'OrderlyOrderLatencyBudgetBurnSlow',
          queries: [
            { expr: 'orderly:outcome_slow:ratio_rate5m', legend: '5 minutes' },
            { expr: 'orderly:outcome_slow:ratio_rate1h', legend: '1 hour' },
            { expr: 'orderly:outcome_slow:ratio_rate6h', legend: '6 hours' },
            { expr: 'vector(0.01)', legend: 'allowed' }
          ]
        },
        {
          title: 'Other readers',
          description:
            'Time from a record to its commit, 99th percentile. `order` is the status projection, `aggregator` the rates.',
          unit: 's',
          queries: percentiles('orderly_stage_record_age_seconds', { quantiles: [0.99], by: 'service' })
        },
        {
          title: 'Publishing',
          description: 'Time from the producer to the acknowledgement by all in-sync replicas.',
          unit: 's',
          queries: percentiles('orderly_order_publish_duration_seconds')
        }
      ]
    },
    {
      title: 'Batches',
      panels: [
        {
          title: 'Process',
          description: 'Duration of processing a batch: mostly the database.',
          unit: 's',
          queries: medianAndTail('orderly_stage_batch_duration_seconds{step="process"}', 'service')
        },
        {
          title: 'Commit',
          description: 'Duration of the commit: the Kafka transaction.',
          unit: 's',
          queries: medianAndTail('orderly_stage_batch_duration_seconds{step="commit"}', 'service')
        },
        {
          title: 'Records in a batch',
          description: 'Small when idle. At the maximum, there is more load than one instance can process.',
          unit: 'short',
          queries: medianAndTail('orderly_stage_batch_records', 'service')
        },
        {
          title: 'Database of the inventory',
          description: 'Duration of the database transaction of one batch.',
          unit: 's',
          queries: percentiles('orderly_inventory_decide_duration_seconds')
        },
        {
          title: 'Database of the aggregator',
          description: 'Duration of the database transaction of one batch.',
          unit: 's',
          queries: percentiles('orderly_aggregator_count_duration_seconds')
        },
        {
          title: 'Delivery attempts',
          description: 'Response time of the target.',
          unit: 's',
          queries: medianAndTail('orderly_notification_delivery_duration_seconds', 'target')
        }
      ]
    }
  ]
}
