import { type Attributes, DiagLogLevel, diag, type Link, SpanKind, SpanStatusCode } from '@opentelemetry/api'
import { millisToHrTime } from '@opentelemetry/core'
import { OTLPTraceExporter as JSONExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { OTLPTraceExporter as ProtobufExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources'
import { BatchSpanProcessor, type ReadableSpan } from '@opentelemetry/sdk-trace'
import { atMostEvery } from '../logging/at-most-every.ts'
import { createSampler } from './sampler.ts'
import type { TracingConfig } from './settings.ts'
import { type FinishedSpan, isSampled, type Spans, type TracedProcess } from './spans.ts'
import { childTraceparent, parseTraceparent, type TraceContext } from './trace-context.ts'

const kinds = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER
} as const

const instrumentationScope = { name: 'orderly' }

/**
 * Creates a recorder that exports spans with OpenTelemetry's batching. If the OTLP endpoint is
 * unavailable, the exporter retries, then drops the spans.
 */
export function createOtlpSpans(config: TracingConfig, { service, instance, logger }: TracedProcess): Spans {
  const own = resourceFromAttributes({
    'service.name': service,
    'service.namespace': 'orderly',
    'service.instance.id': instance
  })
  const resource = own.merge(detectResources({ detectors: [envDetector] }))
  const protocol = config.OTEL_EXPORTER_OTLP_TRACES_PROTOCOL ?? config.OTEL_EXPORTER_OTLP_PROTOCOL
  const sample = createSampler(config)
  const maxLinks = config.OTEL_SPAN_LINK_COUNT_LIMIT
  tellProblems(logger)
  const processor = new BatchSpanProcessor({
    exporter: protocol === 'http/json' ? new JSONExporter() : new ProtobufExporter(),
    scheduledDelayMillis: config.OTEL_BSP_SCHEDULE_DELAY,
    maxQueueSize: config.OTEL_BSP_MAX_QUEUE_SIZE,
    maxExportBatchSize: Math.min(config.OTEL_BSP_MAX_EXPORT_BATCH_SIZE, config.OTEL_BSP_MAX_QUEUE_SIZE)
  })

  function toReadable(span: FinishedSpan, own: TraceContext): ReadableSpan {
    const context = toSpanContext(own)
    const parent = parseTraceparent(span.parent)
    const links = (span.links ?? []).slice(0, maxLinks).flatMap(toLink)
    return {
      name: span.name,
      kind: kinds[span.kind],
      spanContext: () => context,
      ...(parent !== undefined && { parentSpanContext: toSpanContext(parent) }),
      startTime: millisToHrTime(span.startMs),
      endTime: millisToHrTime(span.endMs),
      duration: millisToHrTime(Math.max(0, span.endMs - span.startMs)),
      ended: true,
      status: 'error' in span && span.error !== undefined ? failed(span.error) : { code: SpanStatusCode.UNSET },
      attributes: attributesOf(span),
      links,
      events: [],
      resource,
      instrumentationScope,
      droppedAttributesCount: 0,
      droppedEventsCount: 0,
      droppedLinksCount: Math.max(0, (span.links?.length ?? 0) - maxLinks)
    }
  }

  return {
    begin(parent) {
      const known = parseTraceparent(parent)
      const child = childTraceparent(parent)
      const flags = sample(child.slice(3, 35), known && isSampled(parent)) ? '01' : '00'
      return child.slice(0, 53) + flags
    },
    record(span) {
      if (!isSampled(span.traceparent)) return
      const context = parseTraceparent(span.traceparent)
      if (context !== undefined) processor.onEnd(toReadable(span, context))
    },
    stop: () =>
      processor
        .shutdown()
        .catch(error => logger.warn({ event: 'trace_flush_failed', error }, 'failed to export the last spans'))
  }
}

function toSpanContext({ traceID, spanID, flags }: TraceContext) {
  return { traceId: traceID, spanId: spanID, traceFlags: Number.parseInt(flags, 16) }
}

function toLink(traceparent: string): Link[] {
  const context = parseTraceparent(traceparent)
  return context === undefined ? [] : [{ context: toSpanContext(context) }]
}

function failed(error: unknown) {
  return { code: SpanStatusCode.ERROR, message: error instanceof Error ? error.message : String(error) }
}

function attributesOf({ attributes, error }: FinishedSpan): Attributes {
  const all: Attributes = { ...attributes }
  const { code, name } = (error ?? {}) as { code?: unknown; name?: unknown }
  const type = typeof code === 'string' ? code : name
  if (error !== undefined) all['error.type'] = typeof type === 'string' ? type : '_OTHER'
  for (const [key, value] of Object.entries(all)) if (value === undefined) delete all[key]
  return all
}

/**
 * Logs OpenTelemetry's diagnostics (receiver unavailable, spans dropped), which it reports only
 * through `diag`.
 */
function tellProblems(logger: TracedProcess['logger']): void {
  const warn = atMostEvery(60_000, (text: string, suppressed: number) =>
    logger.warn({ event: 'trace_export_failed', suppressed, detail: text.slice(0, 500) }, 'failed to export traces')
  )
  const ignore = () => {}
  diag.setLogger(
    { error: warn, warn, info: ignore, debug: ignore, verbose: ignore },
    { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true }
  )
}
