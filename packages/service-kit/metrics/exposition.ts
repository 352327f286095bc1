import { Histogram, type HistogramConfiguration, Registry, type RegistryContentType } from 'prom-client'

export interface Exposition {
  readonly contentType: string
  readonly text: string
}

/**
 * The metrics as the scraper asks for them: OpenMetrics, which alone can carry exemplars, or the older text format.
 *
 * The library holds the format in the registry and, writing OpenMetrics, renames counters for good; so each writing has the registry for
 * itself and gives the names back.
 */
export function createExposition(registry: Registry): (accept: string | undefined) => Promise<Exposition> {
  // Its type knows only the format that it was made with.
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

/** The library makes histograms with exemplars only while their registry writes OpenMetrics. */
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
