import type { QuerySpec } from './dashboard.ts'

/** Rate window; Grafana replaces it with at least four scrape intervals. */
export const rateWindow = '$__rate_interval'

/** Returns the rate of a counter, summed over a label. */
export function rateOf(metric: string, by = ''): string {
  return `sum${by === '' ? '' : ` by (${by})`} (rate(${metric}[${rateWindow}]))`
}

/** Returns a query with one line per value of a label, or per combination of several. */
export function ratesBy(metric: string, ...labels: readonly string[]): QuerySpec[] {
  return [{ expr: rateOf(metric, labels.join(', ')), legend: labels.map(label => `{{ ${label} }}`).join(' ') }]
}

/**
 * Returns the median and the 99th percentile by a label, with exemplars.
 * @param selector as for `percentiles`
 */
export function medianAndTail(selector: string, by: string): QuerySpec[] {
  return percentiles(selector, { quantiles: [0.5, 0.99], by, hasExemplars: true })
}

/**
 * Returns the percentiles of a histogram, one line each.
 * @param selector the histogram's name without `_bucket`, with matchers in braces
 */
export function percentiles(
  selector: string,
  { quantiles = [0.5, 0.95, 0.99], by = '', hasExemplars = false } = {}
): QuerySpec[] {
  const [name, matchers = ''] = selector.split(/(?=\{)/)
  const labels = by === '' ? 'le' : `le, ${by}`
  const legendOf = (quantile: number) => `p${quantile * 100}${by === '' ? '' : ` {{ ${by} }}`}`
  return quantiles.map(quantile => ({
    expr: `histogram_quantile(${quantile}, sum by (${labels}) (rate(${name}_bucket${matchers}[${rateWindow}])))`,
    legend: legendOf(quantile),
    hasExemplars
  }))
}
