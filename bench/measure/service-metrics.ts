/** What a service tells Prometheus, by the name of the series and, where it is not the only one of that name, one of its labels. */
export type ServiceMetrics = (name: string, label?: string) => number

/** @param url of a service, which has `/metrics` */
export async function readMetrics(url: string): Promise<ServiceMetrics> {
  return parseMetrics(await (await fetch(`${url}/metrics`)).text())
}

/** @returns NaN for what is not there */
export function parseMetrics(text: string): ServiceMetrics {
  const series = text.split('\n').flatMap(line => {
    const [, name, labels = '', value] = /^(\w+)(?:\{([^}]*)\})? (\S+)/.exec(line) ?? []
    return name === undefined ? [] : [{ name, labels, value: Number(value) }]
  })
  return (name, label = '') => series.find(one => one.name === name && one.labels.includes(label))?.value ?? Number.NaN
}
