/**
 * Returns the value of a Prometheus series by its name and, if that is ambiguous, one of its
 * labels.
 */
export type ServiceMetrics = (name: string, label?: string) => number

/** Reads the metrics of a service. @param url base URL of the service */
export async function readMetrics(url: string): Promise<ServiceMetrics> {
  return parseMetrics(await (await fetch(`${url}/metrics`)).text())
}

/** Parses metrics; unknown series have the value NaN. */
export function parseMetrics(text: string): ServiceMetrics {
  const series = text.split('\n').flatMap(line => {
    const [, name, labels = '', value] = /^(\w+)(?:\{([^}]*)\})? (\S+)/.exec(line) ?? []
    return name === undefined ? [] : [{ name, labels, value: Number(value) }]
  })
  return (name, label = '') => series.find(one => one.name === name && one.labels.includes(label))?.value ?? Number.NaN
}
