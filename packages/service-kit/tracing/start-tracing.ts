import { isTracingOn, type TracingConfig } from './settings.ts'
import type { Spans, TracedProcess } from './spans.ts'

/**
 * Starts tracing if the settings contain an OTLP endpoint. Otherwise returns undefined without
 * loading OpenTelemetry.
 */
export async function startTracing(config: TracingConfig, traced: TracedProcess): Promise<Spans | undefined> {
  if (!isTracingOn(config)) return undefined
  const { createOtlpSpans } = await import('./otlp-spans.ts')
  return createOtlpSpans(config, traced)
}
