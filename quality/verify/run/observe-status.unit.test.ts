import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { planStatusReads } from '../plan/status-reads.ts'
import { observeStatus } from './observe-status.ts'

const seed = 1

/** Returns a request whose order is followed in this way. */
function requestWith(isWanted: (plan: NonNullable<ReturnType<typeof planStatusReads>>) => boolean): string {
  for (let number = 0; ; number++) {
    const plan = planStatusReads(seed, `request-${number}`)
    if (plan !== undefined && isWanted(plan)) return `request-${number}`
  }
}

/** Starts an order service and an observer of it. Lists are answered with two pages. */
async function observe(t: TestContext, answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://service')
    if (url.pathname !== '/orders') return answer(request, response)
    const orders = [
      { orderID: url.searchParams.has('cursor') ? 'order-1' : 'order-2', status: 'accepted', userID: 'u' }
    ]
    response.end(JSON.stringify({ orders, ...(!url.searchParams.has('cursor') && { nextCursor: 'next' }) }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.close().closeAllConnections()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const observer = observeStatus({ seed, users: ['u'], endpoints: () => [url] })
  t.after(() => observer.stop())
  return observer
}

const streamEvent = (id: string, status: string) => `id: ${id}\nevent: status\ndata: {"status":"${status}"}\n\n`

test('a stream resumes after its last event, and is over when the service answers 204', async t => {
  const lastIDs: unknown[] = []
  const observer = await observe(t, (request, response) => {
    const lastID = request.headers['last-event-id']
    lastIDs.push(lastID)
    if (lastID === undefined) response.writeHead(200).end(streamEvent('a', 'accepted'))
    else if (lastID === 'a') response.writeHead(200).end(streamEvent('b', 'failed'))
    else response.writeHead(204).end()
  })
  observer.follow(
    requestWith(plan => plan.kind === 'stream' && plan.connections.filter(({ openMs }) => openMs > 1_500).length === 4),
    'order-1'
  )
  while (observer.observed.streams.length === 0) await delay(5)
  await observer.stop()
  const [stream] = observer.observed.streams
  assert.deepEqual(lastIDs, [undefined, 'a', 'b'])
  assert.deepEqual(
    stream?.events.map(({ id, status }) => [id, status]),
    [
      ['a', 'accepted'],
      ['b', 'failed']
    ]
  )
  assert.equal(stream?.connections, 2)
  assert.ok(stream?.overAtMs)
})

test('polls observe a status, a missing order, and a request without a usable answer', async t => {
  const asked = Promise.withResolvers<void>()
  let count = 0
  const observer = await observe(t, (_, response) => {
    count++
    if (count === 1) response.writeHead(404).end('{}')
    else if (count === 2) response.writeHead(503, { 'retry-after': '1' }).end('{}')
    else response.end(JSON.stringify({ status: 'reserved' }))
    if (count === 3) asked.resolve()
  })
  observer.follow(
    requestWith(({ kind }) => kind === 'polls'),
    'order-1'
  )
  await asked.promise
  await observer.stop()
  assert.deepEqual(
    observer.observed.reads.slice(0, 3).map(({ result }) => result),
    [
      { kind: 'missing' },
      { kind: 'unknown', reason: 'status 503 with Retry-After' },
      { kind: 'found', status: 'reserved' }
    ]
  )
})

test('the list at the end has all pages', async t => {
  const observer = await observe(t, () => {})
  await observer.stop()
  await observer.readFinalLists(t.signal)
  const list = observer.observed.lists.find(({ isFinal }) => isFinal)
  assert.equal(list?.isComplete, true)
  assert.deepEqual(
    list?.pages.map(({ orders }) => orders),
    [[{ orderID: 'order-2', status: 'accepted' }], [{ orderID: 'order-1', status: 'accepted' }]]
  )
})
