import { ROOT_CONTEXT } from '@opentelemetry/api'
import { SamplingDecision, TraceIdRatioBasedSampler } from '@opentelemetry/sdk-trace'
import type { TracingConfig } from './settings.ts'

/**
 * Decides whether to sample a trace.
 * @param parentIsSampled undefined for the first span of a trace
 */
export type Sample = (traceID: string, parentIsSampled: boolean | undefined) => boolean

/**
 * Creates the sampler that OTEL_TRACES_SAMPLER names in the OpenTelemetry specification. It decides
 * for new spans; later steps follow the flags in the header of their record.
 */
export function createSampler({
  OTEL_TRACES_SAMPLER: name,
  OTEL_TRACES_SAMPLER_ARG: share
}: Pick<TracingConfig, 'OTEL_TRACES_SAMPLER' | 'OTEL_TRACES_SAMPLER_ARG'>): Sample {
  const sample = rootSampler(name.replace('parentbased_', ''), Number(share))
  if (!name.startsWith('parentbased_')) return sample
  return (traceID, parentIsSampled) => parentIsSampled ?? sample(traceID)
}

function rootSampler(name: string, share: number): (traceID: string) => boolean {
  if (name === 'always_on') return () => true
  if (name === 'always_off') return () => false
  const ratio = new TraceIdRatioBasedSampler(share)
  return traceID => ratio.shouldSample(ROOT_CONTEXT, traceID).decision === SamplingDecision.RECORD_AND_SAMPLED
}
