import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { createOrderClient } from '@orderly/client'
import { topicNames } from '@orderly/contracts'
import { readCommitted } from '@orderly/kafka/testing'
import { withOwnRole } from '@orderly/launcher/testing'
import { fuzzApi } from '@orderly/service-kit/testing'
import { anOrder } from './testing/order-api.ts'
import { get, post, startOrderPipeline } from './testing/order-pipeline.ts'

const run = promisify(execFile)
const command = new URL('api-keys.ts', import.meta.url).pathname
const rebuild = new URL('projection/rebuild.ts', import.meta.url).pathname

test('API keys in the prod profile separate shops, and a revoked key is refused', async t => {
  const pipeline = await startOrderPipeline(t)
  const env = { ...process.env, ...pipeline.environment }
  const apiKeys = async (line: string) =>
    (await run(process.execPath, [command, ...line.split(' ')], { env })).stdout.trim()
  const [berlinKey, parisKey, slowKey, operatorKey] = [
    await apiKeys('create --name berlin --role shop'),
    await apiKeys('create --name paris --role shop'),
    await apiKeys('create --name slow --role shop --requests-per-minute 2'),
    await apiKeys('create --name ops --role operator')
  ]
  const settings = { ORDERLY_PROFILE: 'prod', API_KEYS_REFRESH_MS: '200' }
  const [first, second] = await Promise.all([pipeline.startOrder('1', settings), pipeline.startOrder('2', settings)])
  const as = (key: string) => ({ authorization: `Bearer ${key}` })
  const [berlin, paris, operator] = [as(berlinKey), as(parisKey), as(operatorKey)]
  const userID = `user-${randomUUID()}`
  const order = { ...anOrder, userID }
  const listed = async (headers: Record<string, string>) =>
    (await get(second.url, `/orders?userID=${userID}`, headers)).body.orders.map(
      ({ orderID }: { orderID: string }) => orderID
    )

  await t.test('a request without a valid key is refused without internal details', async () => {
    for (const headers of [{}, as('rubbish'), as(`orderly_${'0'.repeat(12)}_${'x'.repeat(43)}`)]) {
      const answer = await post(first.url, order, headers)
      assert.deepEqual([answer.status, answer.body.code], [401, 'UNAUTHORIZED'])
      assert.ok(!JSON.stringify(answer.body).includes('.ts'))
    }
    assert.equal((await get(first.url, '/health/ready')).status, 200)
    assert.equal((await fetch(`${first.url}/docs`)).status, 200)
    assert.equal((await post(first.url, order, operator)).body.code, 'ROLE_NOT_ALLOWED')
  })

  await t.test('two shops can use the same user id and idempotency key for separate orders', async () => {
    const key = { 'idempotency-key': randomUUID() }
    const ours = await post(first.url, order, { ...berlin, ...key })
    const theirs = await post(second.url, { ...order, total: 1 }, { ...paris, ...key })
    assert.deepEqual([ours.status, theirs.status], [202, 202])
    assert.equal((await post(second.url, order, { ...berlin, ...key })).body.orderID, ours.body.orderID)
    for (const { body } of [ours, theirs]) await untilKnown(second.url, body.links.self, operator)
    const { body } = await get(second.url, ours.body.links.self, berlin)
    assert.deepEqual([body.orderID, body.caller], [ours.body.orderID, 'berlin'])
    for (const path of [ours.body.links.self, ours.body.links.events]) {
      const foreign = await get(second.url, path, paris)
      assert.deepEqual([foreign.status, foreign.body.code], [404, 'ORDER_NOT_FOUND'])
    }
    assert.equal((await get(first.url, theirs.body.links.self, operator)).body.caller, 'paris')
    assert.deepEqual(await listed(berlin), [ours.body.orderID])
    assert.deepEqual(await listed(paris), [theirs.body.orderID])
    assert.deepEqual(await listed(operator), [theirs.body.orderID, ours.body.orderID].sort().reverse())
  })

  await t.test('the caller of an order is part of its record, so a rebuild restores it', async () => {
    const records = await readCommitted(pipeline.connection, topicNames.ordersCreated, all => all.length >= 2)
    assert.deepEqual(records.map(({ key, headers }) => [key, headers.caller]).sort(), [
      [`berlin\u001f${userID}`, 'berlin'],
      [`paris\u001f${userID}`, 'paris']
    ])
    const before = await listed(berlin)
    await pipeline.pool.query('DELETE FROM orders.orders')
    await run(process.execPath, [rebuild], { env: withOwnRole('order', env), timeout: 60_000 })
    assert.deepEqual(await listed(berlin), before)
  })

  await t.test('every generated request gets a response that the OpenAPI document describes', async () => {
    const key = await apiKeys('create --name fuzz --role shop --requests-per-minute 1000000')
    const document = (await get(first.url, '/openapi.json')).body
    const { statuses } = await fuzzApi(document, {
      baseURL: first.url,
      headers: as(key),
      runs: 8,
      neverDone: ['confirmOrder'] // no inventory runs here, so no order has an outcome
    })
    t.diagnostic(JSON.stringify(statuses))
  })

  await t.test('the client places an order once on any instance and streams its status', async () => {
    const [one, other] = [first, second].map(({ url }) => createOrderClient({ baseURL: url, apiKey: berlinKey }))
    const placed = await one?.placeOrder(order)
    assert.ok(placed !== undefined && placed.idempotencyKey !== null)
    const again = await other?.placeOrder(order, { idempotencyKey: placed.idempotencyKey })
    assert.deepEqual([again?.orderID, again?.isReplay], [placed.orderID, true])
    const { value: notice } = (await other?.watchOrder(placed.orderID).next()) ?? {}
    assert.equal(notice?.status, 'accepted')
    assert.equal((await other?.getOrder(placed.orderID))?.caller, 'berlin')
  })

  await t.test('a caller beyond its quota at an instance gets 429 with Retry-After', async () => {
    const answers = []
    for (let request = 0; request < 3; request++)
      answers.push(await get(first.url, `/orders?userID=${userID}`, as(slowKey)))
    assert.deepEqual(
      answers.map(({ status, headers }) => [status, headers.get('ratelimit')?.split(';t=')[0]]),
      [
        [200, '"caller";r=1'],
        [200, '"caller";r=0'],
        [429, '"caller";r=0']
      ]
    )
    assert.match(answers[2]?.headers.get('retry-after') ?? '', /^[1-9]\d?$/)
    assert.equal((await post(first.url, order, berlin)).status, 202)
  })

  await t.test('a revoked key is refused by every instance, and a new key works immediately', async () => {
    await apiKeys('revoke --name paris')
    const startMs = performance.now()
    for (const { url } of [first, second]) {
      while ((await get(url, `/orders?userID=${userID}`, paris)).status !== 401);
    }
    t.diagnostic(`revoked everywhere after ${Math.round(performance.now() - startMs)} ms`)
    const newKey = as(await apiKeys('create --name paris --role shop'))
    assert.equal((await get(first.url, `/orders?userID=${userID}`, newKey)).status, 200)
    assert.match(await apiKeys('list'), /\tparis\tshop\tdefault\t\S+\trevoked \S+\n/)
  })

  await t.test(
    'without a database, cached API keys can place orders without an idempotency key, and unknown ones get 503',
    async () => {
      const link = await breakableLink(t, pipeline.environment.DATABASE_URL as string)
      const cutOff = await pipeline.startOrder('3', { ...settings, DATABASE_URL: link.url })
      assert.equal((await post(cutOff.url, order, berlin)).status, 202)
      link.cut()
      const unknown = as(await apiKeys('create --name rome --role shop'))
      const refused = await post(cutOff.url, order, unknown)
      assert.deepEqual([refused.status, refused.body.code], [503, 'UNAVAILABLE'])
      assert.match(refused.headers.get('retry-after') ?? '', /^\d+$/)
      const { status, body } = await post(cutOff.url, order, berlin)
      assert.equal(status, 202)
      assert.equal((await post(cutOff.url, order, { ...berlin, 'idempotency-key': 'x' })).status, 503)
      await untilKnown(first.url, body.links.self, berlin)
      assert.equal((await post(cutOff.url, order, as('rubbish'))).status, 401)
    }
  )
})

/** Repeats a read until the order is known. The projection of a new instance may lag. */
async function untilKnown(url: string, path: string, headers: Record<string, string>) {
  for (;;) {
    const answer = await get(url, path, headers)
    if (answer.status !== 404) return answer
  }
}

/** Starts a proxy to the database that can be cut permanently. */
async function breakableLink(t: TestContext, databaseURL: string) {
  const url = new URL(databaseURL)
  const target = { host: url.hostname, port: Number(url.port) }
  const sockets = new Set<Socket>()
  const server = createServer(socket => {
    const onward = connect(target)
    for (const end of [socket, onward]) sockets.add(end.on('error', () => {}))
    socket.pipe(onward).pipe(socket)
  })
  const cut = () => {
    server.close()
    for (const socket of sockets) socket.destroy()
  }
  t.after(cut)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  url.hostname = '127.0.0.1'
  url.port = String((server.address() as AddressInfo).port)
  return { url: url.href, cut }
}
