interface Answer<Data> {
  readonly status: string
  readonly error?: string
  readonly data: Data
}

export interface Series {
  readonly metric: Readonly<Record<string, string>>
  readonly value: readonly [number, string]
}

/** Creates a client of the Prometheus HTTP API with the queries that tests need. */
export function prometheusAPI(address: string) {
  async function ask<Data>(path: string, parameters: Record<string, string> = {}): Promise<Data> {
    const response = await fetch(`${address}/api/v1/${path}?${new URLSearchParams(parameters)}`)
    const answer = (await response.json()) as Answer<Data>
    if (answer.status !== 'success') throw new Error(`${path} ${JSON.stringify(parameters)}: ${answer.error}`)
    return answer.data
  }
  return {
    query: async (query: string) => (await ask<{ result: Series[] }>('query', { query })).result,
    targets: async () =>
      (
        await ask<{
          activeTargets: { labels: { job: string; instance: string }; health: string; lastError: string }[]
        }>('targets')
      ).activeTargets,
    series: (match: string) => ask<Record<string, string>[]>('series', { 'match[]': match }),
    exemplars: (query: string) =>
      ask<{ exemplars: { labels: Record<string, string> }[] }[]>('query_exemplars', {
        query,
        start: String(Date.now() / 1_000 - 600),
        end: String(Date.now() / 1_000)
      })
  }
}
