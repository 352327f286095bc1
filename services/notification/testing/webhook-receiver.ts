import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createTLSServer } from 'node:https'
import type { AddressInfo } from 'node:net'

export interface ReceivedWebhook {
  readonly id: string
  readonly body: string
  readonly headers: Readonly<Record<string, string>>
}

export interface WebhookReceiver {
  /** The path of the URL is a secret that must not appear in logs, tables or metrics. */
  readonly url: string
  readonly received: ReceivedWebhook[]
}

export interface Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  /** True to send 100 Continue and 103 Early Hints first. */
  readonly hasInterim?: true
}

export interface TLSOptions {
  readonly pfx: Buffer
  readonly passphrase: string
}

/**
 * Starts a real HTTP server on a free loopback port, with TLS if `tls` is given. It closes the
 * connection if `answer` returns undefined.
 */
export async function startReceiver(
  scope: { after(release: () => void): void },
  answer: (webhook: ReceivedWebhook) => Answer | undefined,
  tls?: TLSOptions
): Promise<WebhookReceiver> {
  const received: ReceivedWebhook[] = []
  const listener: RequestListener = async (request, response) => {
    try {
      let body = ''
      for await (const chunk of request.setEncoding('utf8')) body += chunk
      const headers = request.headers as Record<string, string>
      const webhook = { id: headers['webhook-id'] ?? '', body, headers }
      received.push(webhook)
      const given = answer(webhook)
      if (given === undefined) return request.destroy()
      if (given.hasInterim) {
        response.writeContinue()
        response.writeEarlyHints({ link: '</style.css>; rel=preload' })
      }
      response.writeHead(given.status, { ...given.headers }).end()
    } catch {
      // The client was killed during the request.
    }
  }
  const server = tls === undefined ? createServer(listener) : createTLSServer({ ...tls }, listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  scope.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const scheme = tls === undefined ? 'http' : 'https'
  return { url: `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}/hooks/very-secret-path`, received }
}
