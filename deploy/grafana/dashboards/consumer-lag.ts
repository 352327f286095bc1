import type { DashboardSpec } from '../dashboard.ts'
import { percentiles, rateOf, ratesBy, rateWindow } from '../queries.ts'

export const consumerLag: DashboardSpec = {
  uid: 'consumer-lag',
  title: 'consumer lag',
  description: 'Lag of each group, and what blocks readers. Source: services/monitor.',
  choices: [{ name: 'group', label: 'group', metric: 'orderly_consumer_lag_seconds', first: 'orders-created' }],
  rows: [
    {
      title: 'Groups',
      panels: [
        {
          title: 'Lag in seconds',
          description: 'Age of the oldest record that the group has not processed.',
          unit: 's',
          alert: 'OrderlyConsumerLagHigh',
          limit: 30,
          queries: [{ expr: 'max by (group) (orderly_consumer_lag_seconds)', legend: '{{ group }}' }]
        },
        {
          title: 'Lag in records',
          description: 'Unprocessed records, including those of open transactions.',
          unit: 'short',
          alert: 'OrderlyLagGrowing',
          limit: 1_000,
          queries: [{ expr: 'sum by (group, topic) (orderly_consumer_lag_records)', legend: '{{ group }} {{ topic }}' }]
        },
        {
          title: 'Members',
          description: 'Members of the group. Without a member no record is read.',
          unit: 'short',
          queries: [{ expr: 'max by (group) (orderly_consumer_group_members)', legend: '{{ group }}' }]
        },
        {
          title: 'Lag by partition',
          description:
            'Lag of the group selected above. One partition alone: a record or a transaction in it. All partitions: the service.',
          unit: 's',
          queries: [
            {
              expr: 'max by (topic, partition) (orderly_consumer_lag_seconds{group="$group"})',
              legend: '{{ topic }} {{ partition }}'
            }
          ]
        },
        {
          title: 'Written',
          description: 'Offsets per second by topic, including transaction markers.',
          unit: 'ops',
          queries: [
            { expr: `sum by (topic) (rate(orderly_kafka_partition_end_offset[${rateWindow}]))`, legend: '{{ topic }}' }
          ]
        },
        {
          title: 'Processed',
          description: 'Records per second that the services have committed.',
          unit: 'ops',
          queries: ratesBy('orderly_stage_records_total', 'service')
        }
      ]
    },
    {
      title: 'Lost records',
      panels: [
        {
          title: 'Lag against retention',
          description: 'Age of the oldest unread record as a share of the time for which its topic keeps records.',
          unit: 'percentunit',
          alert: 'OrderlyRetentionTooShort',
          limit: 0.5,
          queries: [
            {
              expr: 'max by (group, topic) (orderly_consumer_lag_seconds) / on (topic) group_left max by (topic) (orderly_kafka_topic_retention_seconds)',
              legend: '{{ group }} {{ topic }}'
            }
          ]
        },
        {
          title: 'Skipped offsets',
          description: 'Offsets removed from a topic before a stage had read them, since its service started.',
          unit: 'short',
          alert: 'OrderlyRecordsSkipped',
          limit: 1,
          queries: [
            {
              expr: 'sum by (stage, topic) (orderly_stage_skipped_offsets_total) or 0 * sum(up{job="inventory"})',
              legend: '{{ stage }} {{ topic }}'
            }
          ]
        },
        {
          title: 'Truncated logs',
          description: 'Logs that lost records that a stage had read, since its service started.',
          unit: 'short',
          alert: 'OrderlyLogTruncated',
          limit: 1,
          queries: [
            {
              expr: 'sum by (stage, topic) (orderly_stage_log_truncations_total) or 0 * sum(up{job="inventory"})',
              legend: '{{ stage }} {{ topic }}'
            }
          ]
        }
      ]
    },
    {
      title: 'Transactions',
      panels: [
        {
          title: 'Blocked by transactions',
          description: 'Records between the last stable offset and the high watermark. Normal for a moment under load.',
          unit: 'short',
          queries: [{ expr: 'max by (topic) (orderly_kafka_partition_unstable_records)', legend: '{{ topic }}' }]
        },
        {
          title: 'Oldest open transaction',
          description: 'Age of the oldest open transaction. The transactions of Orderly time out after 10 s.',
          unit: 's',
          queries: [{ expr: 'max(orderly_kafka_oldest_transaction_age_seconds)', legend: 'age' }]
        },
        {
          title: 'Hanging transactions',
          description: 'Open for too long, overdue, or forgotten by their coordinator; in each topic that they block.',
          unit: 'short',
          alert: 'OrderlyHangingTransaction',
          limit: 1,
          queries: [
            {
              expr: 'sum by (kind, topic) (orderly_kafka_hanging_transactions)',
              legend: '{{ kind }} {{ topic }}'
            }
          ]
        }
      ]
    },
    {
      title: 'Monitor',
      panels: [
        {
          title: 'Age of the data',
          description: 'Time since the last observation of the cluster.',
          unit: 's',
          alert: 'OrderlyMonitorDown',
          limit: 60,
          queries: [{ expr: 'time() - max(orderly_monitor_observed_timestamp_seconds)', legend: 'age' }]
        },
        {
          title: 'Observation duration',
          description: 'Duration of one observation of the whole cluster.',
          unit: 's',
          queries: percentiles('orderly_monitor_observation_duration_seconds', { quantiles: [0.5, 0.99] })
        },
        {
          title: 'Failed observations, omitted groups',
          description: 'Both should be zero.',
          unit: 'short',
          queries: [
            { expr: rateOf('orderly_monitor_observation_failures_total'), legend: 'failures per second' },
            { expr: 'max(orderly_monitor_groups_left_out)', legend: 'omitted groups' }
          ]
        }
      ]
    }
  ]
}
