/**
 * Example: Prometheus metrics from the observer of a stage, and OpenTelemetry spans of its records.
 *
 * An observer receives numbers after each step, so a metric costs nothing per record. A span begins
 * in `process`, in the trace that the record's header `traceparent` names, and the output carries
 * its context on. `process` may run again after a failure, so a record may have several spans.
 */

import { propagation, ROOT_CONTEXT, SpanKind, type Tracer, trace } from '@opentelemetry/api'
import {
  jsonCodec,
  type KafkaConnection,
  type Logger,
  type RunningStage,
  runStage,
  type Stage,
  type StageObserver,
  type StageRecord,
  type Topic
} from '@orderly/kafka'
import { Counter, Histogram, type Registry } from 'prom-client'

export interface Click {
  readonly page: string
}

export const clicks: Topic<Click> = { name: 'observability.clicks', eventType: 'Click', codec: jsonCodec<Click>() }
export const viewsTopic = 'observability.views'

export function prometheusObserver(registry: Registry): StageObserver {
  const registers = [registry]
  const records = new Counter({ name: 'stage_records_total', help: 'Records committed.', registers })
  const aborts = new Counter({
    name: 'stage_aborts_total',
    help: 'Batches read again.',
    labelNames: ['code'],
    registers
  })
  const deadLetters = new Counter({
    ...{ name: 'stage_dead_letters_total', help: 'Records that failed.', labelNames: ['topic', 'code'], registers }
  })
  const commit = new Histogram({ name: 'stage_commit_seconds', help: 'Duration of commits.', registers })
  const age = new Histogram({ name: 'stage_record_age_seconds', help: 'Age of records at their commit.', registers })
  return {
    committed(event) {
      records.inc(event.records)
      commit.observe(event.durationMs / 1_000)
      for (const timestampMs of event.timestampsMs) age.observe(Math.max(0, Date.now() - timestampMs) / 1_000)
    },
    aborted: ({ reason }) => aborts.inc({ code: reason }),
    deadLettered: ({ topic, reason }) => deadLetters.inc({ topic, code: reason })
  }
}

function viewStage(tracer: Tracer): Stage<Click> {
  const toOutput = ({ topic, partition, offset, key, event, headers }: StageRecord<Click>) => {
    const parent = propagation.extract(ROOT_CONTEXT, headers.toObject())
    const attributes = {
      'messaging.system': 'kafka',
      'messaging.operation.name': 'process',
      'messaging.destination.name': topic,
      'messaging.destination.partition.id': String(partition),
      'messaging.kafka.offset': Number(offset)
    }
    const span = tracer.startSpan(`process ${topic}`, { kind: SpanKind.CONSUMER, attributes }, parent)
    const own: Record<string, string> = {}
    propagation.inject(trace.setSpan(parent, span), own)
    span.end()
    return { topic: viewsTopic, key, value: Buffer.from(event.page), headers: own }
  }
  return { name: 'views', group: 'observability', inputs: [clicks], process: async records => records.map(toOutput) }
}

export function startViews(
  { tracer, registry }: { readonly tracer: Tracer; readonly registry: Registry },
  connection: KafkaConnection,
  logger: Logger
): RunningStage {
  const ids = { transactionalID: 'views-1', instanceID: 'views-1' }
  const observer = prometheusObserver(registry)
  return runStage(viewStage(tracer), { connection, ...ids, isTransient: () => false, logger, observer })
}
