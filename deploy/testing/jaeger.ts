import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { freePort, loopback, orderlyDirectory, waitUntil } from '@orderly/launcher'
import { superviseRun } from '@orderly/launcher/testing'

/** Version of Jaeger that `npm run build:jaeger` builds. */
export const jaegerVersion = 'v1.76.0'
export const jaegerProgram = join(orderlyDirectory, 'tools', `jaeger-${jaegerVersion}`, 'jaeger')

/** A span as Jaeger's query API returns it. */
export interface StoredSpan {
  readonly traceID: string
  readonly spanID: string
  readonly operationName: string
  /** `CHILD_OF` refers to the parent, `FOLLOWS_FROM` is a link. */
  readonly references: readonly {
    readonly refType: 'CHILD_OF' | 'FOLLOWS_FROM'
    readonly traceID: string
    readonly spanID: string
  }[]
  readonly service: string
}

export interface Jaeger {
  /** Address for `OTEL_EXPORTER_OTLP_ENDPOINT`. */
  readonly otlpURL: string
  /** Returns the latest traces that contain a span of this name, each as a list of its spans. */
  traces(service: string, operation: string): Promise<StoredSpan[][]>
}

/** Starts Jaeger with its memory storage. Skips the test if it was not built. */
export async function startJaegerOrSkip(t: TestContext): Promise<Jaeger | undefined> {
  if (!existsSync(jaegerProgram)) {
    t.skip('no Jaeger: run `npm run build:jaeger` (needs Go), then run this again')
    return undefined
  }
  const { directories, supervisor } = superviseRun(t, 'test')
  const [otlpPort, queryPort, grpcPort] = await Promise.all([freePort(), freePort(), freePort()])
  const at = (port: number | undefined) => ({ endpoint: `${loopback}:${port}` })
  const config = {
    extensions: {
      jaeger_storage: { backends: { memory: { memory: { max_traces: 10_000 } } } },
      jaeger_query: { storage: { traces: 'memory' }, http: at(queryPort), grpc: at(grpcPort) }
    },
    receivers: { otlp: { protocols: { http: at(otlpPort) } } },
    exporters: { jaeger_storage_exporter: { trace_storage: 'memory' } },
    service: {
      extensions: ['jaeger_storage', 'jaeger_query'],
      pipelines: { traces: { receivers: ['otlp'], exporters: ['jaeger_storage_exporter'] } },
      telemetry: { metrics: { level: 'none' } }
    }
  }
  const file = join(directories.data, 'jaeger.json') // JSON is YAML
  await writeFile(file, JSON.stringify(config))
  supervisor.start({ name: 'jaeger', command: jaegerProgram, args: [`--config=${file}`] })

  const queryURL = `http://${loopback}:${queryPort}`
  const answers = async () => (await fetch(`${queryURL}/api/services`)).ok
  await waitUntil(answers, { what: 'the query API of Jaeger', deadlineMs: 60_000 })
  return {
    otlpURL: `http://${loopback}:${otlpPort}`,
    async traces(service, operation) {
      const query = new URLSearchParams({ service, operation, limit: '100' })
      const response = await fetch(`${queryURL}/api/traces?${query}`)
      const { data } = (await response.json()) as { data: StoredTrace[] | null }
      return (data ?? []).map(({ spans, processes }) =>
        spans.map(span => ({ ...span, service: processes[span.processID]?.serviceName ?? '' }))
      )
    }
  }
}

interface StoredTrace {
  readonly spans: readonly (Omit<StoredSpan, 'service'> & { readonly processID: string })[]
  readonly processes: Readonly<Record<string, { readonly serviceName: string }>>
}
