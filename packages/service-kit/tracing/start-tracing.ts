import { isTracingOn, type TracingConfig } from './settings.ts'
import type { Spans, TracedProcess } from './spans.ts'

/** Undefined unless the settings name a receiver. What OpenTelemetry brings along is loaded only then. */
export async function startTracing(config: TracingConfig, traced: TracedProcess): Promise<Spans | undefined> {
  if (!isTracingOn(config)) return undefined
  const { createOtlpSpans } = await import('./otlp-spans.ts')
  return createOtlpSpans(config, traced)
}
