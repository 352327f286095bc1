import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { loopback } from '@orderly/launcher'
import { Webhook } from 'standardwebhooks'
import type { WebhookAttempt } from '../history/history.ts'
import { planAnswer } from '../plan/webhook-answers.ts'

/** A webhook endpoint that fails at times and records every attempt with its answer. */
export interface WebhookTarget {
  readonly target: string
  /** Environment variables that configure this target in the notification service. */
  readonly environment: Readonly<Record<string, string>>
  readonly attempts: readonly WebhookAttempt[]
  stop(): Promise<void>
}

export async function startWebhookTarget(seed: number): Promise<WebhookTarget> {
  // Two secrets, as during a rotation; each must verify.
  const secrets = [randomBytes(32), randomBytes(32)].map(bytes => `whsec_${bytes.toString('base64')}`)
  const attempts: WebhookAttempt[] = []
  const counts = new Map<string, number>()

  const server = createServer((request, response) => {
    // The sender may be killed during the request.
    answer(request, response).catch(() => request.destroy())
  })

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request)
    const id = String(request.headers['webhook-id'])
    const number = (counts.get(id) ?? 0) + 1
    counts.set(id, number)
    const planned = planAnswer(seed, id, number)
    attempts.push({
      id,
      atMs: Date.now(),
      answer: planned,
      isSigned: secrets.every(secret => isSigned(secret, body, request)),
      bodyDigest: createHash('sha256').update(body).digest('hex').slice(0, 16),
      ...aboutOf(body)
    })
    if (planned === 'none') return
    if (planned === 'broken' || planned === 'taken, then broken') request.destroy()
    else response.writeHead(planned).end()
  }

  server.listen(0, loopback)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    target: 'webhook:shop',
    environment: {
      NOTIFICATION_SINKS: 'console,webhook',
      WEBHOOK_URLS: `shop=http://${loopback}:${port}/hooks`,
      WEBHOOK_SECRETS: secrets.map(secret => `shop=${secret}`).join(','),
      WEBHOOK_ALLOWED_NETWORKS: loopback,
      WEBHOOK_TIMEOUT_MS: '500'
    },
    attempts,
    async stop() {
      server.close().closeAllConnections()
    }
  }
}

/** Verifies a signature with the reference library, which is independent of our implementation. */
function isSigned(secret: string, body: string, { headers }: IncomingMessage): boolean {
  try {
    new Webhook(secret).verify(body, headers as Record<string, string>)
    return true
  } catch {
    return false
  }
}

function aboutOf(body: string): Pick<WebhookAttempt, 'type' | 'orderID' | 'userID'> {
  const { type, data } = JSON.parse(body) as { type: string; data: { orderID: string; userID: string } }
  return { type, orderID: data.orderID, userID: data.userID }
}
