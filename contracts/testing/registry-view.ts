import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'

/**
 * A proxy in front of a real registry that gives a test separate subjects. Ids are those of the
 * registry.
 */
export interface RegistryView {
  readonly url: string
  /**
   * Simulates a lagging follower: from now on, the first lookup of each new id does not find it.
   */
  lag(): void
  /** Returns the number of lookups that failed because of `lag`. */
  readonly lagged: () => number
}

export async function createRegistryView(t: Pick<TestContext, 'after'>, registryURL: string): Promise<RegistryView> {
  const prefix = `test-${crypto.randomUUID()}-`
  const seen = new Set<string>()
  let isLagging = false
  let lagged = 0

  async function answer(request: IncomingMessage): Promise<{ status: number; body: string }> {
    const path = request.url ?? '/'
    if (isLagging && path.startsWith('/schemas/ids/') && !seen.has(path)) {
      seen.add(path)
      lagged++
      return { status: 404, body: JSON.stringify({ error_code: 40403, message: 'Schema not found' }) }
    }
    const body = request.method === 'GET' ? undefined : await readAll(request)
    const response = await fetch(registryURL + path.replace(/^\/(subjects|config)\//, `/$1/${prefix}`), {
      method: request.method ?? 'GET',
      headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
      ...(body === undefined ? {} : { body })
    })
    return { status: response.status, body: await response.text() }
  }

  const server = createServer(async (request, response) => {
    const failed = (error: unknown) => ({ status: 502, body: JSON.stringify({ message: String(error) }) })
    const { status, body } = await answer(request).catch(failed)
    response.writeHead(status).end(body)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    lag: () => {
      isLagging = true
    },
    lagged: () => lagged
  }
}

async function readAll(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request.setEncoding('utf8')) text += chunk
  return text
}
