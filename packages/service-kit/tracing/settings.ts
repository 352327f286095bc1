import { type TProperties, Type } from 'typebox'
import type { Config } from '../config/parse-config.ts'

const samplers = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio'
] as const

const url = '^https?://[^\\s]+$'

/**
 * OpenTelemetry's standard variables for sampling and exporting traces. The exporter and the
 * resource detector read others themselves: OTEL_EXPORTER_OTLP_HEADERS, _TIMEOUT, _COMPRESSION,
 * _CERTIFICATE and so on, OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES.
 */
export const tracingSettings = {
  OTEL_SDK_DISABLED: Type.Boolean({
    description: 'whether tracing is disabled regardless of other settings',
    default: false
  }),
  OTEL_TRACES_EXPORTER: Type.Enum(['otlp', 'none'], { description: 'the exporter of traces', default: 'otlp' }),
  OTEL_EXPORTER_OTLP_ENDPOINT: Type.Optional(
    Type.String({ description: 'the address of an OTLP/HTTP endpoint, http://127.0.0.1:4318', pattern: url })
  ),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: Type.Optional(
    Type.String({ description: 'the full URL for traces, http://127.0.0.1:4318/v1/traces', pattern: url })
  ),
  OTEL_EXPORTER_OTLP_PROTOCOL: Type.Enum(['http/protobuf', 'http/json'], {
    description: 'the protocol of the OTLP endpoint',
    default: 'http/protobuf'
  }),
  OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: Type.Optional(
    Type.Enum(['http/protobuf', 'http/json'], { description: 'the protocol of the OTLP endpoint for traces' })
  ),
  OTEL_TRACES_SAMPLER: Type.Enum([...samplers], {
    description: 'the sampler of traces',
    default: 'parentbased_always_on'
  }),
  OTEL_TRACES_SAMPLER_ARG: Type.String({
    description: 'the share of traces to record, from 0 to 1',
    pattern: '^(0(\\.[0-9]+)?|\\.[0-9]+|1(\\.0+)?)$',
    default: '1'
  }),
  OTEL_SPAN_LINK_COUNT_LIMIT: Type.Integer({
    description: 'the maximum number of records that the span of a batch links to',
    minimum: 0,
    maximum: 100_000,
    default: 128
  }),
  OTEL_BSP_SCHEDULE_DELAY: Type.Integer({
    description: 'the maximum delay in milliseconds before spans are exported',
    minimum: 1,
    maximum: 600_000,
    default: 5_000
  }),
  OTEL_BSP_MAX_QUEUE_SIZE: Type.Integer({
    description: 'the maximum number of queued spans; more are dropped',
    minimum: 1,
    maximum: 10_000_000,
    default: 2_048
  }),
  OTEL_BSP_MAX_EXPORT_BATCH_SIZE: Type.Integer({
    description: 'the maximum number of spans per export',
    minimum: 1,
    maximum: 100_000,
    default: 512
  })
} as const satisfies TProperties

export type TracingConfig = Config<typeof tracingSettings>

export function isTracingOn(config: TracingConfig): boolean {
  const endpoint = config.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT ?? config.OTEL_EXPORTER_OTLP_ENDPOINT
  return endpoint !== undefined && config.OTEL_TRACES_EXPORTER === 'otlp' && !config.OTEL_SDK_DISABLED
}
