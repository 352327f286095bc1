import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import type { RequestPlan } from '../plan/load.ts'
import { driveLoad } from './drive-load.ts'

const plan: RequestPlan = {
  id: `${'0'.repeat(31)}7`,
  atMs: 0,
  endpoint: 3,
  userID: 'user-1',
  items: [{ sku: 'HOT-1', quantity: 1 }],
  totalMinor: 100,
  patienceMs: 1_000
}

/** Places one order with a service that answers with these statuses in turn; 0 means no answer. */
async function place(t: TestContext, statuses: readonly number[], request: RequestPlan) {
  const asked: IncomingHttpHeaders[] = []
  const allAsked = Promise.withResolvers<void>()
  const server = createServer((incoming, answer) => {
    const status = statuses[asked.length] ?? 500
    asked.push(incoming.headers)
    if (asked.length === statuses.length) allAsked.resolve()
    if (status === 0) incoming.socket.destroy()
    else answer.writeHead(status).end(JSON.stringify({ orderID: 'order-1' }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const driver = driveLoad([request].values(), () => [url])
  await allAsked.promise
  return { asked, ...(await driver.stop()) }
}

test('an order answered 202 is accepted, and one answered 400 is refused', async t => {
  const accepted = await place(t, [202], plan)
  assert.deepEqual(accepted.requests[0]?.result, { kind: 'ok', orderID: 'order-1' })
  const refused = await place(t, [400], plan)
  assert.deepEqual(refused.requests[0]?.result, { kind: 'failed', status: 400 })
})

test('without a key an unanswered request is not repeated and its result is unknown', async t => {
  const { asked, requests } = await place(t, [0], plan)
  assert.equal(asked.length, 1)
  assert.equal(requests[0]?.result.kind, 'unknown')
})

test('with a key a request is repeated with new trace ids until its result is known', async t => {
  const keyed = { ...plan, idempotencyKey: 'key-1', retryDelaysMs: [1, 1, 1, 1] }
  const { asked, requests } = await place(t, [503, 0, 409, 202], keyed)
  assert.deepEqual(
    asked.map(headers => headers['idempotency-key']),
    ['key-1', 'key-1', 'key-1', 'key-1']
  )
  assert.equal(new Set(asked.map(({ traceparent }) => traceparent)).size, 4)
  assert.deepEqual(
    requests.map(({ result }) => result.kind),
    ['unknown', 'unknown', 'unknown', 'ok']
  )
  assert.equal(new Set(requests.map(({ id }) => id)).size, 4)
})
