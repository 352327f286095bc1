import type { StageObserver } from '@orderly/kafka'
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import { exemplarOf } from '../tracing/trace-context.ts'
import { boundedLabel } from './bounded-label.ts'
import { BulkHistogram } from './bulk-histogram.ts'
import { exemplarHistogram } from './exposition.ts'

const secondsBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
const ageBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800, 7_200]
const recordsBuckets = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000]

type Event<Name extends 'processed' | 'committed'> = Parameters<NonNullable<StageObserver[Name]>>[0]
/** The trace of a batch, if it is recorded. */
type OfBatch = { readonly traceparent?: string | undefined }

/** A stage observer that also receives trace contexts, for exemplars. */
export interface TraceObserver extends StageObserver {
  processed?(event: Event<'processed'> & OfBatch): void
  committed?(event: Event<'committed'> & OfBatch): void
  /** Called after `committed` with one record of the batch whose trace is recorded. */
  recorded?(event: { readonly timestampMs: number; readonly traceparent: string }): void
}

/**
 * Creates the observer that turns the events of a service's stages into metrics. Create one per
 * service.
 */
export function stageObserver(metrics: Registry): Required<TraceObserver> {
  const registers = [metrics]
  const records = new Counter({ name: 'orderly_stage_records_total', help: 'Input records committed.', registers })
  const outputs = new Counter({
    name: 'orderly_stage_outputs_total',
    help: 'Output records committed.',
    registers
  })
  const batchRecords = new Histogram({
    name: 'orderly_stage_batch_records',
    help: 'Number of records in a committed batch.',
    buckets: recordsBuckets,
    registers
  })
  const duration = exemplarHistogram(metrics, {
    name: 'orderly_stage_batch_duration_seconds',
    help: 'Duration of each step of a batch (process, commit), and of ticks.',
    labelNames: ['step'],
    buckets: secondsBuckets
  })
  const age = new BulkHistogram({
    name: 'orderly_stage_record_age_seconds',
    help: 'Time from the timestamp of a record to the commit of its batch.',
    buckets: ageBuckets,
    metrics
  })
  const aborted = new Counter({
    name: 'orderly_stage_aborted_batches_total',
    help: 'Batches aborted and read again, by the code of the reason.',
    labelNames: ['reason'],
    registers
  })
  const retries = new Counter({
    name: 'orderly_stage_retries_total',
    help: 'Attempts that failed with a transient error.',
    registers
  })
  aborted.inc({ reason: 'REBALANCED' }, 0) // creates the time series before the first event
  const deadLettered = new Counter({
    name: 'orderly_stage_dead_letters_total',
    help: 'Records written to a dead-letter topic, by the code of the reason.',
    labelNames: ['topic', 'reason'],
    registers
  })
  const truncations = new Counter({
    name: 'orderly_stage_log_truncations_total',
    help: 'Truncations of input logs; reading resumed from the offset where the logs diverged.',
    labelNames: ['stage', 'topic'],
    registers
  })
  const skippedOffsets = new Counter({
    name: 'orderly_stage_skipped_offsets_total',
    help: 'Offsets of input records that were removed from the log before they were read, for example by retention.',
    labelNames: ['stage', 'topic'],
    registers
  })
  const recreations = new Counter({
    name: 'orderly_stage_topic_recreations_total',
    help: 'Input topics that were deleted and recreated; the new topic is read from the beginning.',
    labelNames: ['stage', 'topic'],
    registers
  })
  const partitions = new Gauge({
    name: 'orderly_stage_partitions',
    help: 'Partitions assigned to this instance.',
    registers
  })
  const unavailable = new Gauge({
    name: 'orderly_stage_unavailable_partitions',
    help: 'Assigned partitions that cannot be read: no leader, no access, or the topic was recreated.',
    labelNames: ['stage', 'topic'],
    registers
  })
  const partitionsAdded = new Counter({
    name: 'orderly_stage_partitions_added_total',
    help: 'Partitions added to an input topic while this instance was a member of the consumer group.',
    labelNames: ['stage', 'topic'],
    registers
  })
  const abortReason = boundedLabel()
  const deadLetterReason = boundedLabel()

  const took = (step: string, durationMs: number, traceparent?: string) => {
    const exemplarLabels = traceparent === undefined ? {} : exemplarOf(traceparent)
    duration.observe({ labels: { step }, value: durationMs / 1_000, exemplarLabels })
  }

  return {
    processed: ({ durationMs, traceparent }) => took('process', durationMs, traceparent),
    committed(event) {
      records.inc(event.records)
      outputs.inc(event.outputs)
      batchRecords.observe(event.records)
      took('commit', event.durationMs, event.traceparent)
      const nowMs = Date.now()
      for (const timestampMs of event.timestampsMs) age.observe(Math.max(0, nowMs - timestampMs) / 1_000)
    },
    recorded: ({ timestampMs, traceparent }) =>
      age.exemplify(Math.max(0, Date.now() - timestampMs) / 1_000, exemplarOf(traceparent)),
    ticked(event) {
      outputs.inc(event.outputs)
      took('tick', event.durationMs)
    },
    aborted: ({ reason }) => aborted.inc({ reason: abortReason(reason) }),
    retried: () => retries.inc(),
    deadLettered: ({ topic, reason }) => deadLettered.inc({ topic, reason: deadLetterReason(reason) }),
    assigned: event => partitions.set(event.partitions),
    truncated: ({ stage, topic }) => truncations.inc({ stage, topic }),
    skipped: ({ stage, topic, from, to }) => skippedOffsets.inc({ stage, topic }, Number(to - from)),
    recreated: ({ stage, topic }) => recreations.inc({ stage, topic }),
    partitionsAdded: ({ stage, topic, from, to }) => partitionsAdded.inc({ stage, topic }, to - from),
    unavailable: event => unavailable.set({ stage: event.stage, topic: event.topic }, event.partitions)
  }
}
