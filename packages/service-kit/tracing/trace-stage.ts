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
 * A stage with its spans (https://opentelemetry.io/docs/specs/semconv/messaging/kafka/):
 *
 * - `process <topic>` for each record, in the trace that came with it
 * - `send <topic>` for each record that it writes, below the span of the record that it came of; its context is the one in the header
 * - `process <group>` for each batch, a trace of its own, with the commit below it. It links to its records, and they to it
 *
 * Batches are committed in the order in which they were processed, one at a time; so what was processed waits in a queue for its commit,
 * and a batch that is given up takes the whole queue with it. Records that come again get new spans.
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
  /** Those whose trace is sampled. */
  readonly records: TracedRecord[]
  readonly outputs: OutputRecord[]
  readonly processedMs: number
  /** All records that were fetched. */
  readonly count: number
}

/** The stage and the observer as they are to be run; the very same while nobody records traces. */
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
      // Whoever began the trace decided against it.
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
      // A batch that fails is halved or tried again; what a single record fails with belongs into its trace.
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
        // The one that waited longest, if somebody asks why.
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
    // A parked record is passed on with the header that it came with: no step of ours.
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

/** What a tick writes belongs to no record: a trace of its own. */
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
