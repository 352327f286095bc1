import {
  type OutputRecord,
  outputHeader,
  type RecordHeaders,
  type Stage,
  type StageObserver,
  type StageRecord,
  type StageTick,
  withHeader
} from '@orderly/kafka'
import type { TraceObserver } from '../metrics/stage-observer.ts'
import { kafka, operation, sendSpan } from './messaging.ts'
import { type FinishedSpan, isSampled, preciseNowMs, type Spans } from './spans.ts'
import { parseTraceparent } from './trace-context.ts'

/**
 * A stage and its observer, wrapped to record spans
 * (https://opentelemetry.io/docs/specs/semconv/messaging/kafka/):
 *
 * - `process <topic>` for each record, in the trace of its header
 * - `send <topic>` for each output, as a child of the span of its input; the output's header
 *   contains its context
 * - `process <group>` for each batch, in a separate trace, with the commit as its child. The batch
 *   span and the record spans link to each other
 *
 * Batches are committed one at a time, in the order in which they were processed. So processed
 * batches wait for their commit in a queue, and an abort discards the whole queue. Records that are
 * read again get new spans.
 */
export interface TracedStage<Event> {
  readonly stage: Stage<Event>
  readonly observer: StageObserver
}

interface TracedRecord {
  readonly record: StageRecord<unknown>
  readonly parent: string | undefined
  readonly traceparent: string
}

interface TracedBatch {
  readonly traceparent: string
  readonly startMs: number
  /** Records whose trace is sampled. */
  readonly records: TracedRecord[]
  readonly outputs: OutputRecord[]
  readonly processedMs: number
  /** Number of fetched records, including unsampled ones. */
  readonly count: number
}

/** Wraps a stage and its observer to record spans. Without `spans` it returns them unchanged. */
export function traceStage<Event>(
  stage: Stage<Event>,
  observer: TraceObserver,
  spans: Spans | undefined
): TracedStage<Event> {
  if (spans === undefined) return { stage, observer }
  const { group } = stage
  const processed: TracedBatch[] = []
  let current: TracedBatch | undefined

  async function process(
    records: readonly StageRecord<Event>[],
    context: Parameters<Stage<Event>['process']>[1],
    ours: Spans
  ): Promise<readonly OutputRecord[]> {
    current ??= newBatch(ours)
    const batch = current
    const sampled: TracedRecord[] = []
    const entered = records.map(record => {
      const parent = record.headers.text('traceparent')
      // The first step of the trace decided not to sample it.
      if (parent !== undefined && !isSampled(parent)) return record
      const traceparent = ours.begin(parent)
      if (isSampled(traceparent)) sampled.push({ record, parent, traceparent })
      const { topic, partition, offset, topicID, timestampMs, key, event } = record
      return {
        topic,
        partition,
        offset,
        topicID,
        timestampMs,
        key,
        event,
        headers: withTraceparent(record.headers, traceparent)
      }
    })
    try {
      const outputs = await stage.process(entered, context)
      batch.records.push(...sampled)
      batch.outputs.push(...outputs)
      return outputs
    } catch (error) {
      // A failed batch is bisected or retried. Only the failure of a single record belongs to the
      // record's trace.
      const [only] = sampled
      if (records.length === 1 && only !== undefined) {
        ours.record(processSpan(group, only, batch.startMs, preciseNowMs(), { links: [], error }))
      }
      throw error
    }
  }

  function begun(): TracedBatch {
    const batch = current ?? newBatch(spans as Spans)
    current = undefined
    return batch
  }

  return {
    stage: {
      ...stage,
      process: (records, context) => process(records, context, spans),
      ...(stage.tick && { tick: traceTick(stage.tick, spans) })
    },
    observer: {
      ...observer,
      processed(event) {
        const batch = { ...begun(), processedMs: preciseNowMs(), count: event.records }
        processed.push(batch)
        observer.processed?.({ ...event, traceparent: recordedTrace(batch) })
      },
      committed(event) {
        const batch = processed.shift()
        observer.committed?.({ ...event, traceparent: batch && recordedTrace(batch) })
        if (batch === undefined) return
        tellBatch(group, batch, spans, { commitMs: event.durationMs })
        // The oldest record becomes the exemplar, because it explains the highest latency.
        const slowest = batch.records.reduce<TracedRecord | undefined>(
          (oldest, each) =>
            oldest === undefined || each.record.timestampMs < oldest.record.timestampMs ? each : oldest,
          undefined
        )
        if (slowest !== undefined) {
          observer.recorded?.({ timestampMs: slowest.record.timestampMs, traceparent: slowest.traceparent })
        }
      },
      aborted(event) {
        observer.aborted?.(event)
        current = undefined
        for (const batch of processed.splice(0)) tellBatch(group, batch, spans, { error: { code: event.reason } })
      }
    }
  }
}

function recordedTrace({ records, traceparent }: TracedBatch): string | undefined {
  return records.length > 0 && isSampled(traceparent) ? traceparent : undefined
}

type BatchEnd = { readonly commitMs: number } | { readonly error: unknown }

function tellBatch(group: string, batch: TracedBatch, spans: Spans, ended: BatchEnd): void {
  if (batch.records.length === 0) return
  const endMs = preciseNowMs()
  const failure = 'error' in ended ? ended : {}
  const attributes = { ...kafka, 'messaging.consumer.group.name': group }
  spans.record({
    name: `process ${group}`,
    kind: 'consumer',
    traceparent: batch.traceparent,
    startMs: batch.startMs,
    endMs,
    attributes: { ...attributes, ...operation('process'), 'messaging.batch.message_count': batch.count },
    links: batch.records.flatMap(({ parent }) => parent ?? []),
    ...failure
  })
  if ('commitMs' in ended) {
    spans.record({
      name: `commit ${group}`,
      kind: 'client',
      traceparent: spans.begin(batch.traceparent),
      parent: batch.traceparent,
      startMs: endMs - ended.commitMs,
      endMs,
      attributes: { ...attributes, ...operation('commit', 'settle') }
    })
  }
  const origins = new Map<string | undefined, string>()
  const passedOn = new Set<string | undefined>()
  for (const each of batch.records) {
    origins.set(parseTraceparent(each.traceparent)?.traceID, each.traceparent)
    passedOn.add(each.parent)
    spans.record(processSpan(group, each, batch.startMs, batch.processedMs, { links: [batch.traceparent] }))
  }
  for (const output of batch.outputs) {
    const traceparent = outputHeader(output, 'traceparent') ?? ''
    const parent = origins.get(parseTraceparent(traceparent)?.traceID)
    // A dead letter keeps the header of its record and gets no `send` span.
    if (parent === undefined || passedOn.has(traceparent)) continue
    spans.record({ ...sendSpan(output, traceparent, parent, batch.processedMs, endMs), ...failure })
  }
}

function processSpan(
  group: string,
  { record, parent, traceparent }: TracedRecord,
  startMs: number,
  endMs: number,
  outcome: Pick<FinishedSpan, 'links' | 'error'>
): FinishedSpan {
  return {
    name: `process ${record.topic}`,
    kind: 'consumer',
    traceparent,
    parent,
    startMs,
    endMs,
    attributes: {
      ...kafka,
      ...operation('process'),
      'messaging.destination.name': record.topic,
      'messaging.destination.partition.id': String(record.partition),
      'messaging.kafka.offset': Number(record.offset),
      'messaging.kafka.message.key': record.key,
      'messaging.message.id': record.headers.text('event-id'),
      'messaging.consumer.group.name': group
    },
    ...outcome
  }
}

function withTraceparent(headers: RecordHeaders, traceparent: string): RecordHeaders {
  return {
    text: name => (name === 'traceparent' ? traceparent : headers.text(name)),
    has: name => name === 'traceparent' || headers.has(name),
    equals: (name, content) =>
      name === 'traceparent' ? content.equals(Buffer.from(traceparent)) : headers.equals(name, content),
    toObject: () => ({ ...headers.toObject(), traceparent })
  }
}

/** Wraps a tick. Its outputs belong to no record, so each run has a separate trace. */
function traceTick(tick: StageTick, spans: Spans): StageTick {
  let written: readonly OutputRecord[] = []
  let startMs = 0
  return {
    ...tick,
    async run(context) {
      startMs = preciseNowMs()
      const traceparent = spans.begin(undefined)
      const outputs = await tick.run(context)
      written = outputs.map(output => withHeader(output, 'traceparent', traceparent))
      return written
    },
    async committed() {
      const [first] = written
      if (first !== undefined) {
        spans.record(
          sendSpan(first, outputHeader(first, 'traceparent') ?? '', undefined, startMs, preciseNowMs(), written.length)
        )
      }
      await tick.committed?.()
    }
  }
}

function newBatch(spans: Spans): TracedBatch {
  const startMs = preciseNowMs()
  return { traceparent: spans.begin(undefined), startMs, records: [], outputs: [], processedMs: startMs, count: 0 }
}
