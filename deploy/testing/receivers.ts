import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import type { TestContext } from 'node:test'

/** A server that collects what it receives, and its address. */
export interface Receiver<Item> {
  readonly url: string
  readonly items: readonly Item[]
}

interface SpanAttribute {
  readonly key: string
  readonly value: { readonly stringValue?: string; readonly intValue?: number | string }
}

export interface ReceivedSpan {
  readonly service: string
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly attributes: readonly SpanAttribute[]
  readonly links?: readonly { readonly traceId: string; readonly spanId: string }[]
}

/** Starts an OTLP/HTTP receiver of traces as JSON. */
export async function startTraceReceiver(t: TestContext): Promise<Receiver<ReceivedSpan>> {
  const spans: ReceivedSpan[] = []
  const url = await listen(t, async (request, response) => {
    const { resourceSpans } = (await json(request)) as {
      resourceSpans: { resource: { attributes: SpanAttribute[] }; scopeSpans: { spans: ReceivedSpan[] }[] }[]
    }
    for (const { resource, scopeSpans } of resourceSpans) {
      const service = resource.attributes.find(({ key }) => key === 'service.name')?.value.stringValue ?? ''
      for (const span of scopeSpans.flatMap(scope => scope.spans)) spans.push({ ...span, service })
    }
    response.setHeader('content-type', 'application/json').end('{}')
  })
  return { url, items: spans }
}

export interface ReceivedAlert {
  readonly status: 'firing' | 'resolved'
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}

/** Starts a receiver of Alertmanager's webhook notifications. */
export async function startAlertReceiver(t: TestContext): Promise<Receiver<ReceivedAlert>> {
  const alerts: ReceivedAlert[] = []
  const url = await listen(t, async (request, response) => {
    alerts.push(...((await json(request)) as { alerts: ReceivedAlert[] }).alerts)
    response.end()
  })
  return { url, items: alerts }
}

/** Starts a notification endpoint that rejects the first few requests. */
export async function startFailingEndpoint(t: TestContext, failures: number): Promise<{ readonly url: string }> {
  let left = failures
  const url = await listen(t, async (request, response) => {
    await json(request)
    response.writeHead(left-- > 0 ? 503 : 204).end()
  })
  return { url }
}

async function listen(
  t: TestContext,
  answer: (request: IncomingMessage, response: ServerResponse) => Promise<void>
): Promise<string> {
  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.writeHead(400).end())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
