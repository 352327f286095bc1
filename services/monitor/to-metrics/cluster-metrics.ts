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
 * The last observation as gauges. After a look that failed they stay as they were, and
 * `orderly_monitor_observed_timestamp_seconds` says how old they are.
 */
export function clusterMetrics(metrics: Metrics): ClusterMetrics {
  const registers = [metrics]
  const gauge = <Label extends string>(name: string, help: string, labelNames: readonly Label[] = []) =>
    new Gauge({ name, help, labelNames, registers })

  const ofGroup = ['group', 'topic', 'partition'] as const
  const lagRecords = gauge(
    'orderly_consumer_lag_records',
    'Records that wait for a group, those of open transactions as well.',
    ofGroup
  )
  const lagAge = gauge(
    'orderly_consumer_lag_seconds',
    'How long the record that waits longest for a group has waited.',
    ofGroup
  )
  const members = gauge('orderly_consumer_group_members', 'Members of a group.', ['group'])
  const leftOut = gauge('orderly_monitor_groups_left_out', 'Groups that are not looked at, for there are too many.')
  const ofPartition = ['topic', 'partition'] as const
  const endOffset = gauge('orderly_kafka_partition_end_offset', 'The high watermark.', ofPartition)
  const heldUp = gauge(
    'orderly_kafka_partition_held_up_records',
    'The last stable offset behind the high watermark: what open transactions hide from readers.',
    ofPartition
  )
  const hanging = gauge(
    'orderly_kafka_hanging_transactions',
    'Transactions that hold up readers of a topic for too long: open, overdue (its coordinator has not ended it), forgotten (nobody will).',
    ['kind', 'topic']
  )
  const oldest = gauge('orderly_kafka_oldest_transaction_age_seconds', 'Age of the oldest open transaction.')
  const retention = gauge(
    'orderly_kafka_topic_retention_seconds',
    'How long a topic keeps its records; +Inf when it keeps them for ever.',
    ['topic']
  )
  const underReplicated = gauge(
    'orderly_kafka_under_replicated_partitions',
    'Partitions some replicas of which are not in sync.'
  )
  const offline = gauge('orderly_kafka_offline_partitions', 'Partitions without a leader.')
  const brokers = gauge('orderly_kafka_brokers', 'Brokers that are there.')
  const controller = gauge('orderly_kafka_controller_id', 'The controller that leads the quorum; -1 while none does.')
  const controllerEpoch = gauge('orderly_kafka_controller_epoch', 'Grows with each election of a controller.')
  const observedAt = gauge('orderly_monitor_observed_timestamp_seconds', 'When the cluster was last looked at.')
  const duration = new Histogram({
    name: 'orderly_monitor_observation_duration_seconds',
    help: 'How long a look at the cluster took.',
    buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers
  })
  const failures = new Counter({
    name: 'orderly_monitor_observation_failures_total',
    help: 'Looks at the cluster that failed.',
    registers
  })

  return {
    observed(observation, durationMs) {
      const { atMs, lags, groups, partitions, topics, controllerID } = observation
      // What is gone must not be told on.
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
