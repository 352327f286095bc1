import type { Metrics } from '@orderly/service-kit'
import { Counter, Gauge, Histogram } from 'prom-client'
import {
  hangingByTopic,
  lagSeconds,
  type Observation,
  oldestTransactionSeconds,
  recordsHeldUp,
  replicationOf
} from '../domain/observation.ts'

export interface ClusterMetrics {
  observed(observation: Observation, durationMs: number): void
  failed(): void
}

/**
 * Exports the last observation as gauges. They stay unchanged after a failed observation, and
 * `orderly_monitor_observed_timestamp_seconds` has the time of the last successful one.
 */
export function clusterMetrics(metrics: Metrics): ClusterMetrics {
  const registers = [metrics]
  const gauge = <Label extends string>(name: string, help: string, labelNames: readonly Label[] = []) =>
    new Gauge({ name, help, labelNames, registers })

  const ofGroup = ['group', 'topic', 'partition'] as const
  const lagRecords = gauge(
    'orderly_consumer_lag_records',
    'Records that a group has not processed, including those of open transactions.',
    ofGroup
  )
  const lagAge = gauge(
    'orderly_consumer_lag_seconds',
    'Age of the oldest record that a group has not processed.',
    ofGroup
  )
  const members = gauge('orderly_consumer_group_members', 'Number of members of a group.', ['group'])
  const leftOut = gauge('orderly_monitor_groups_left_out', 'Groups above MONITOR_MAX_GROUPS, which are not observed.')
  const ofPartition = ['topic', 'partition'] as const
  const endOffset = gauge('orderly_kafka_partition_end_offset', 'High watermark of a partition.', ofPartition)
  const heldUp = gauge(
    'orderly_kafka_partition_unstable_records',
    'Records that open transactions hide from committed reads: high watermark minus last stable offset.',
    ofPartition
  )
  const hanging = gauge(
    'orderly_kafka_hanging_transactions',
    'Hanging transactions of a topic by kind: open, overdue (past its timeout), forgotten (unknown to every coordinator).',
    ['kind', 'topic']
  )
  const oldest = gauge('orderly_kafka_oldest_transaction_age_seconds', 'Age of the oldest open transaction.')
  const retention = gauge('orderly_kafka_topic_retention_seconds', 'Retention time of a topic; +Inf without a limit.', [
    'topic'
  ])
  const underReplicated = gauge(
    'orderly_kafka_under_replicated_partitions',
    'Partitions with replicas that are not in sync.'
  )
  const offline = gauge('orderly_kafka_offline_partitions', 'Partitions without a leader.')
  const brokers = gauge('orderly_kafka_brokers', 'Live brokers of the cluster.')
  const controller = gauge('orderly_kafka_controller_id', 'Id of the active controller; -1 while there is none.')
  const controllerEpoch = gauge(
    'orderly_kafka_controller_epoch',
    'Epoch of the active controller, which increases with each election; -1 if unknown.'
  )
  const observedAt = gauge('orderly_monitor_observed_timestamp_seconds', 'Time of the last observation of the cluster.')
  const duration = new Histogram({
    name: 'orderly_monitor_observation_duration_seconds',
    help: 'Duration of an observation of the cluster.',
    buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers
  })
  const failures = new Counter({
    name: 'orderly_monitor_observation_failures_total',
    help: 'Failed observations of the cluster.',
    registers
  })

  return {
    observed(observation, durationMs) {
      const { atMs, lags, groups, partitions, topics, controllerID } = observation
      // Removes the series of groups, topics and partitions that no longer exist.
      for (const each of [lagRecords, lagAge, members, endOffset, heldUp, hanging, retention]) each.reset()
      for (const lag of lags) {
        const labels = { group: lag.groupID, topic: lag.topic, partition: lag.partition }
        lagRecords.set(labels, lag.lagRecords)
        lagAge.set(labels, lagSeconds(lag, atMs))
      }
      for (const { groupID, members: count } of groups) members.set({ group: groupID }, count)
      for (const { topic, partition, ...offsets } of partitions) {
        endOffset.set({ topic, partition }, Number(offsets.endOffset))
        heldUp.set({ topic, partition }, recordsHeldUp(offsets))
      }
      for (const { count, ...labels } of hangingByTopic(observation)) hanging.set(labels, count)
      oldest.set(oldestTransactionSeconds(observation))
      for (const { name, isInternal, retentionMs = Infinity } of topics) {
        if (!isInternal) retention.set({ topic: name }, retentionMs / 1_000)
      }
      const replication = replicationOf(topics)
      underReplicated.set(replication.underReplicated)
      offline.set(replication.offline)
      brokers.set(observation.brokerIDs.length)
      controller.set(controllerID ?? -1)
      controllerEpoch.set(observation.controllerEpoch)
      leftOut.set(observation.groupsLeftOut)
      observedAt.set(atMs / 1_000)
      duration.observe(durationMs / 1_000)
    },
    failed: () => failures.inc()
  }
}
