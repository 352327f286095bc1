import { Histogram, type HistogramConfiguration, Registry, type RegistryContentType } from 'prom-client'

export interface Exposition {
  readonly contentType: string
  readonly text: string
}

/**
 * Returns a function that writes the metrics in the format of the `Accept` header: OpenMetrics,
 * which supports exemplars, or the older Prometheus text format.
 *
 * prom-client keeps the format in the registry and permanently renames counters when it writes
 * OpenMetrics. So writes are serialized, and each one restores the names.
 */
export function createExposition(registry: Registry): (accept: string | undefined) => Promise<Exposition> {
  // The type of the registry allows only the format it was created with.
  const metrics = registry as Registry<RegistryContentType>
  let writing: Promise<unknown> = Promise.resolve()

  async function write(contentType: RegistryContentType): Promise<Exposition> {
    const named = metrics.getMetricsAsArray().map(metric => ({ metric, name: metric.name }))
    metrics.setContentType(contentType)
    try {
      return { contentType, text: await metrics.metrics() }
    } finally {
      metrics.setContentType(Registry.PROMETHEUS_CONTENT_TYPE)
      for (const { metric, name } of named) metric.name = name
    }
  }

  return accept => {
    const wantsOpenMetrics = accept?.includes('application/openmetrics-text') === true
    const contentType = wantsOpenMetrics ? Registry.OPENMETRICS_CONTENT_TYPE : Registry.PROMETHEUS_CONTENT_TYPE
    const written = writing.then(() => write(contentType))
    writing = written.catch(() => {})
    return written
  }
}

/**
 * Creates a histogram with exemplars, which prom-client allows only while the registry is set to
 * OpenMetrics.
 */
export function exemplarHistogram<Label extends string>(
  registry: Registry,
  options: Omit<HistogramConfiguration<Label>, 'registers' | 'enableExemplars'>
): Histogram<Label> {
  const metrics = registry as Registry<RegistryContentType>
  metrics.setContentType(Registry.OPENMETRICS_CONTENT_TYPE)
  try {
    return new Histogram({ ...options, registers: [registry], enableExemplars: true })
  } finally {
    metrics.setContentType(Registry.PROMETHEUS_CONTENT_TYPE)
  }
}
