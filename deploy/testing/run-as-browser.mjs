/**
 * Runs the built client in a context that has the globals of browsers, and none of Node's. Prints
 * what it read from a status stream and from a webhook.
 */
import { createHmac, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createContext, SourceTextModule } from 'node:vm'

const [entry = ''] = process.argv.slice(2)
const { AbortController, AbortSignal, Headers, Response, TextDecoder, TextEncoder, URL, URLSearchParams } = globalThis
const { atob, clearTimeout, crypto, DOMException, performance, setTimeout } = globalThis
const events = ['accepted', 'reserved'].map(status => `id: ${status}\ndata: ${JSON.stringify({ status })}\n\n`)
const answers = [
  new Response(events.join(''), { headers: { 'content-type': 'text/event-stream' } }),
  new Response(null, { status: 204 })
]
const context = createContext({
  ...{ AbortController, AbortSignal, Headers, Response, TextDecoder, TextEncoder, URL, URLSearchParams },
  ...{ atob, clearTimeout, crypto, DOMException, performance, setTimeout },
  fetch: async () => answers.shift()
})

/** Loads a module. Imports of anything but files of the package fail. */
const modules = new Map()
function load(path) {
  if (!modules.has(path)) {
    const module = new SourceTextModule(readFileSync(path, 'utf8'), { context, identifier: `file://${path}` })
    modules.set(path, module)
  }
  return modules.get(path)
}
const client = load(entry)
await client.link((specifier, { identifier }) => {
  if (!specifier.startsWith('.')) throw new Error(`${identifier} imports ${specifier}`)
  return load(new URL(specifier, identifier).pathname)
})
await client.evaluate()

const statuses = []
const { createOrderClient, verifyWebhook } = client.namespace
for await (const { status } of createOrderClient({ baseURL: 'https://orders.example' }).watchOrder('1'))
  statuses.push(status)

const [key, seconds, body] = [randomBytes(32), Math.floor(Date.now() / 1_000), '{"type":"order.reserved"}']
const signature = createHmac('sha256', key).update(`e.${seconds}.${body}`).digest('base64')
const headers = { 'webhook-id': 'e', 'webhook-timestamp': `${seconds}`, 'webhook-signature': `v1,${signature}` }
const { event } = await verifyWebhook({ headers, body }, { secrets: `whsec_${key.toString('base64')}` })
console.log(JSON.stringify({ statuses, type: event.type }))
