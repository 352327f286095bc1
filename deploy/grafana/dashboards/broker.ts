import type { DashboardSpec } from '../dashboard.ts'
import { rateOf, ratesBy } from '../queries.ts'

export const broker: DashboardSpec = {
  uid: 'broker',
  title: 'broker',
  description: "The cluster as services/monitor sees it, and each broker's own metrics.",
  rows: [
    {
      title: 'Cluster',
      panels: [
        {
          title: 'Brokers',
          description: 'That are there.',
          unit: 'short',
          alert: 'OrderlyBrokerDown',
          isStat: true,
          queries: [{ expr: 'max(orderly_kafka_brokers)', legend: 'brokers' }]
        },
        {
          title: 'Controller',
          description: 'Its id; -1 while there is none.',
          unit: 'none',
          alert: 'OrderlyNoController',
          limit: 0,
          isLowBad: true,
          isStat: true,
          queries: [{ expr: 'max(orderly_kafka_controller_id)', legend: 'id' }]
        },
        {
          title: 'Elections',
          description: 'Of a controller, since the cluster was made.',
          unit: 'none',
          isStat: true,
          queries: [{ expr: 'max(orderly_kafka_controller_epoch)', legend: 'epoch' }]
        },
        {
          title: 'Offline',
          description: 'Partitions without a leader.',
          unit: 'short',
          alert: 'OrderlyBrokerDown',
          limit: 1,
          isStat: true,
          queries: [{ expr: 'max(orderly_kafka_offline_partitions)', legend: 'partitions' }]
        },
        {
          title: 'Under-replicated',
          description: 'Partitions some replicas of which are not in sync.',
          unit: 'short',
          alert: 'OrderlyUnderReplicated',
          limit: 1,
          isStat: true,
          queries: [{ expr: 'max(orderly_kafka_under_replicated_partitions)', legend: 'partitions' }]
        },
        {
          title: 'Log directories offline',
          description: 'Disks that a broker has given up.',
          unit: 'short',
          limit: 1,
          isStat: true,
          queries: [{ expr: 'sum(kafka_offline_log_directories)', legend: 'directories' }]
        }
      ]
    },
    {
      title: 'Traffic',
      panels: [
        {
          title: 'Records in',
          description: 'A second.',
          unit: 'ops',
          queries: ratesBy('kafka_messages_in_total', 'instance')
        },
        {
          title: 'Bytes',
          description: 'A second, in and out.',
          unit: 'Bps',
          queries: [
            { expr: rateOf('kafka_in_bytes_total', 'instance'), legend: 'in {{ instance }}' },
            { expr: rateOf('kafka_out_bytes_total', 'instance'), legend: 'out {{ instance }}' }
          ]
        },
        {
          title: 'Requests',
          description: 'A second, by kind.',
          unit: 'reqps',
          queries: ratesBy('kafka_requests_total', 'request')
        },
        {
          title: 'Duration of requests',
          description: '99th percentile. A consumer fetch waits for records: that is no delay.',
          unit: 's',
          queries: [
            { expr: 'max by (request) (kafka_request_p99_seconds{request!="FetchConsumer"})', legend: '{{ request }}' }
          ]
        },
        {
          title: 'Failed requests',
          description: 'To produce and to fetch.',
          unit: 'reqps',
          queries: ratesBy('kafka_failed_requests_total', 'request')
        },
        {
          title: 'Idle',
          description: 'Of the threads for requests and for the network. Below 30 % the broker is at its limit.',
          unit: 'percentunit',
          limit: 0.3,
          isLowBad: true,
          max: 1,
          queries: [
            { expr: 'min by (instance) (kafka_request_handler_idle_ratio)', legend: 'requests {{ instance }}' },
            { expr: 'min by (instance) (kafka_network_idle_ratio)', legend: 'network {{ instance }}' }
          ]
        }
      ]
    },
    {
      title: 'Replicas and memory',
      panels: [
        {
          title: 'Partitions',
          description: 'That a broker has and leads.',
          unit: 'short',
          queries: [
            { expr: 'sum by (instance) (kafka_partitions)', legend: 'has {{ instance }}' },
            { expr: 'sum by (instance) (kafka_led_partitions)', legend: 'leads {{ instance }}' }
          ]
        },
        {
          title: 'Replicas in and out of sync',
          description: 'Changes a second.',
          unit: 'ops',
          queries: ratesBy('kafka_isr_changes_total', 'change')
        },
        {
          title: 'Heap',
          description: 'In use.',
          unit: 'bytes',
          queries: [
            { expr: 'sum by (instance) (jvm_memory_used_bytes{job="kafka",area="heap"})', legend: '{{ instance }}' }
          ]
        }
      ]
    }
  ]
}
