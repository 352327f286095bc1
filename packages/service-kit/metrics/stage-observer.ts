import type { StageObserver } from '@orderly/kafka'
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'

const secondsBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

/** A stage's events as metrics (the stage itself logs what an operator may have to look into). One for each service. */
export function stageObserver(metrics: Registry): Required<StageObserver> {
  const registers = [metrics]
  const records = new Counter({ name: 'orderly_stage_records_total', help: 'Records read and committed.', registers })
  const outputs = new Counter({
    name: 'orderly_stage_outputs_total',
    help: 'Records written and committed.',
    registers
  })
  const duration = new Histogram({
    name: 'orderly_stage_batch_duration_seconds',
    help: 'How long a step of a batch took: process decides, commit makes it last; a tick does both.',
    labelNames: ['step'],
    buckets: secondsBuckets,
    registers
  })
  const age = new Histogram({
    name: 'orderly_stage_oldest_record_age_seconds',
    help: 'From the time of the oldest record of a batch to its commit.',
    buckets: secondsBuckets,
    registers
  })
  const aborted = new Counter({
    name: 'orderly_stage_aborted_batches_total',
    help: 'Batches given up and read again.',
    registers
  })
  const retries = new Counter({
    name: 'orderly_stage_retries_total',
    help: 'Attempts that failed for a passing reason.',
    registers
  })
  const parked = new Counter({
    name: 'orderly_stage_parked_records_total',
    help: 'Records put into a dead-letter topic.',
    labelNames: ['topic'],
    registers
  })
  const partitions = new Gauge({ name: 'orderly_stage_partitions', help: 'Partitions this instance reads.', registers })

  return {
    processed: ({ durationMs }) => duration.observe({ step: 'process' }, durationMs / 1_000),
    committed(event) {
      records.inc(event.records)
      outputs.inc(event.outputs)
      duration.observe({ step: 'commit' }, event.durationMs / 1_000)
      age.observe(Math.max(0, Date.now() - event.oldestTimestampMs) / 1_000)
    },
    ticked(event) {
      outputs.inc(event.outputs)
      duration.observe({ step: 'tick' }, event.durationMs / 1_000)
    },
    aborted: () => aborted.inc(),
    retried: () => retries.inc(),
    parked: ({ topic }) => parked.inc({ topic }),
    assigned: event => partitions.set(event.partitions)
  }
}
