import type { DashboardSpec } from '../dashboard.ts'
import { medianAndTail, percentiles } from '../queries.ts'

const age = (service: string) => `orderly_stage_record_age_seconds{service="${service}"}`

export const pipelineLatency: DashboardSpec = {
  uid: 'pipeline-latency',
  title: 'pipeline latency',
  description: 'How long an order takes from the request to the notification, and where.',
  rows: [
    {
      title: 'From end to end',
      panels: [
        {
          title: 'Request',
          description: 'POST /orders, from the request to the answer.',
          unit: 's',
          queries: percentiles('orderly_http_request_duration_seconds{service="order",route="/orders",method="POST"}', {
            hasExemplars: true
          })
        },
        {
          title: 'Outcome',
          description: 'From when the order was stored to when its outcome was. The objective: 99 % within a second.',
          unit: 's',
          queries: percentiles(age('inventory'), { hasExemplars: true })
        },
        {
          title: 'Notification',
          description: 'From when a notification was accepted to when its target took it.',
          unit: 's',
          queries: medianAndTail('orderly_notification_delay_seconds', 'target')
        },
        {
          title: 'Slow outcomes',
          description: 'The share of orders without an outcome within a second; what alerts look at. Allowed: 1 %.',
          unit: 'percentunit',
          alert: 'OrderlyOutcomesSlow',
          queries: [
            { expr: 'orderly:outcome_slow:ratio_rate5m', legend: '5 minutes' },
            { expr: 'orderly:outcome_slow:ratio_rate1h', legend: '1 hour' },
            { expr: 'orderly:outcome_slow:ratio_rate6h', legend: '6 hours' },
            { expr: 'vector(0.01)', legend: 'allowed' }
          ]
        },
        {
          title: 'Others that read',
          description:
            'From the time of a record to its commit, 99th percentile: order is the status, aggregator the rates.',
          unit: 's',
          queries: percentiles('orderly_stage_record_age_seconds', { quantiles: [0.99], by: 'service' })
        },
        {
          title: 'Storing',
          description: 'From the producer to the acknowledgement by all in-sync replicas.',
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
          description: 'Deciding: mostly the database.',
          unit: 's',
          queries: medianAndTail('orderly_stage_batch_duration_seconds{step="process"}', 'service')
        },
        {
          title: 'Commit',
          description: 'Making it last: the transaction in Kafka.',
          unit: 's',
          queries: medianAndTail('orderly_stage_batch_duration_seconds{step="commit"}', 'service')
        },
        {
          title: 'Records in a batch',
          description: 'Small when idle; at the maximum there is more than one instance can take.',
          unit: 'short',
          queries: medianAndTail('orderly_stage_batch_records', 'service')
        },
        {
          title: 'Database of the inventory',
          description: 'One batch in one transaction.',
          unit: 's',
          queries: percentiles('orderly_inventory_decide_duration_seconds')
        },
        {
          title: 'Database of the aggregator',
          description: 'One batch in one transaction.',
          unit: 's',
          queries: percentiles('orderly_aggregator_count_duration_seconds')
        },
        {
          title: 'Attempts to deliver',
          description: 'How long a target takes.',
          unit: 's',
          queries: medianAndTail('orderly_notification_delivery_duration_seconds', 'target')
        }
      ]
    }
  ]
}
