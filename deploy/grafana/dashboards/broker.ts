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
          description: 'Brokers in the cluster.',
          unit: 'short',
          alert: 'OrderlyBrokerMissing',
          isStat: true,
          queries: [{ expr: 'max(orderly_kafka_brokers)', legend: 'brokers' }]
        },
        {
          title: 'Controller',
          description: 'Id of the controller; -1 while there is none.',
          unit: 'none',
          alert: 'OrderlyNoActiveController',
          limit: 0,
          isLowBad: true,
          isStat: true,
          queries: [{ expr: 'max(orderly_kafka_controller_id)', legend: 'id' }]
        },
        {
          title: 'Controller elections',
          description: 'Controller elections since the cluster was created.',
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
          description: 'Partitions with replicas that are not in sync.',
          unit: 'short',
          alert: 'OrderlyUnderReplicated',
          limit: 1,
          isStat: true,
          queries: [{ expr: 'max(orderly_kafka_under_replicated_partitions)', legend: 'partitions' }]
        },
        {
          title: 'Below min.insync.replicas',
          description: 'Partitions that refuse writes, because too few replicas are in sync.',
          unit: 'short',
          alert: 'OrderlyUnderMinISR',
          limit: 1,
          isStat: true,
          queries: [{ expr: 'sum(kafka_under_min_isr_partitions)', legend: 'partitions' }]
        },
        {
          title: 'Log directories offline',
          description: 'Log directories that a broker has taken offline.',
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
          description: 'Records per second.',
          unit: 'ops',
          queries: ratesBy('kafka_messages_in_total', 'instance')
        },
        {
          title: 'Bytes',
          description: 'Bytes per second, in and out.',
          unit: 'Bps',
          queries: [
            { expr: rateOf('kafka_in_bytes_total', 'instance'), legend: 'in {{ instance }}' },
            { expr: rateOf('kafka_out_bytes_total', 'instance'), legend: 'out {{ instance }}' }
          ]
        },
        {
          title: 'Requests',
          description: 'Requests per second, by kind.',
          unit: 'reqps',
          queries: ratesBy('kafka_requests_total', 'request')
        },
        {
          title: 'Request duration',
          description: '99th percentile. Consumer fetches are left out, because they wait for records.',
          unit: 's',
          queries: [
            { expr: 'max by (request) (kafka_request_p99_seconds{request!="FetchConsumer"})', legend: '{{ request }}' }
          ]
        },
        {
          title: 'Failed requests',
          description: 'Failed produce and fetch requests per second.',
          unit: 'reqps',
          queries: ratesBy('kafka_failed_requests_total', 'request')
        },
        {
          title: 'Idle',
          description: 'Idle share of the request and network threads. Below 30 % the broker is at its limit.',
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
          description: 'Partitions that each broker hosts and leads.',
          unit: 'short',
          queries: [
            { expr: 'sum by (instance) (kafka_partitions)', legend: 'has {{ instance }}' },
            { expr: 'sum by (instance) (kafka_led_partitions)', legend: 'leads {{ instance }}' }
          ]
        },
        {
          title: 'ISR changes',
          description: 'Replicas that leave or join the in-sync set, per second.',
          unit: 'ops',
          queries: ratesBy('kafka_isr_changes_total', 'change')
        },
        {
          title: 'Heap',
          description: 'Heap memory in use.',
          unit: 'bytes',
          queries: [
            { expr: 'sum by (instance) (jvm_memory_used_bytes{job="kafka",area="heap"})', legend: '{{ instance }}' }
          ]
        }
      ]
    }
  ]
}
