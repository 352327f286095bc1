import type { QuerySpec } from './dashboard.ts'

/** Grafana puts in a window of four scrapes or more. */
export const rateWindow = '$__rate_interval'

/** What several panels ask in the same way. */
export function rateOf(metric: string, by = ''): string {
  return `sum${by === '' ? '' : ` by (${by})`} (rate(${metric}[${rateWindow}]))`
}

/** A line for each value of a label, or of several together. */
export function ratesBy(metric: string, ...labels: readonly string[]): QuerySpec[] {
  return [{ expr: rateOf(metric, labels.join(', ')), legend: labels.map(label => `{{ ${label} }}`).join(' ') }]
}

/** What half of them take and what one in a hundred does, by a label; with the traces behind it. @param selector as for `percentiles` */
export function medianAndTail(selector: string, by: string): QuerySpec[] {
  return percentiles(selector, { quantiles: [0.5, 0.99], by, hasExemplars: true })
}

/** Percentiles of a histogram, one line each. @param selector the histogram's name without `_bucket`, with matchers in braces */
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
