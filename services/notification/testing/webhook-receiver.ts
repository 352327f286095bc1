import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface ReceivedWebhook {
  readonly id: string
  readonly body: string
  readonly headers: Readonly<Record<string, string>>
}

export interface WebhookReceiver {
  /** With a path that must not show up anywhere. */
  readonly url: string
  readonly received: ReceivedWebhook[]
}

export interface Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
}

/** A real HTTP server on a free loopback port. Without an answer it hangs up. */
export async function startReceiver(
  scope: { after(release: () => void): void },
  answer: (webhook: ReceivedWebhook) => Answer | undefined
): Promise<WebhookReceiver> {
  const received: ReceivedWebhook[] = []
  const server = createServer(async (request, response) => {
    try {
      let body = ''
      for await (const chunk of request.setEncoding('utf8')) body += chunk
      const headers = request.headers as Record<string, string>
      const webhook = { id: headers['webhook-id'] ?? '', body, headers }
      received.push(webhook)
      const given = answer(webhook)
      if (given === undefined) request.destroy()
      else response.writeHead(given.status, { ...given.headers }).end()
    } catch {
      // The other side was killed in the middle.
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  scope.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hooks/very-secret-path`, received }
}
