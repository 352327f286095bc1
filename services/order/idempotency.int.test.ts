import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { killAtFailpoint } from '@orderly/launcher/testing'
import { anOrder } from './testing/order-api.ts'
import { post, postUntilFree, startOrderPipeline } from './testing/order-pipeline.ts'

const preload = `--import=${killAtFailpoint}`
const quick = { ORDER_DELIVERY_TIMEOUT_MS: '3000' }
const ending = (point: string, signal: string) => ({
  NODE_OPTIONS: preload,
  KILL_AT: point,
  KILL_WITH: signal,
  ...quick
})

test('an order with a key is written once, even if it is sent to several instances that are killed', {
  timeout: 400_000
}, async t => {
  const pipeline = await startOrderPipeline(t)
  const steady = await pipeline.startOrder('steady', quick)

  await t.test('the same key returns the same order from any instance; another order gets 422', async () => {
    const other = await pipeline.startOrder('other', quick)
    const userID = `user-${randomUUID()}`
    const headers = { 'idempotency-key': randomUUID() }
    const first = await post(steady.url, { ...anOrder, userID }, headers)
    assert.deepEqual([first.status, first.headers.get('idempotent-replayed')], [202, null])
    const again = await post(other.url, { total: 25.9, items: anOrder.items.toReversed(), userID }, headers)
    assert.deepEqual([again.status, again.headers.get('idempotent-replayed')], [202, 'true'])
    assert.deepEqual(again.body, first.body)
    assert.equal(again.headers.get('traceparent'), first.headers.get('traceparent'))
    const reused = await post(other.url, { ...anOrder, userID, total: 26 }, headers)
    assert.deepEqual([reused.status, reused.body.code], [422, 'IDEMPOTENCY_KEY_REUSED'])
    assert.deepEqual(await pipeline.placedFor(userID, steady), [first.body.orderID])
    await other.stop()
  })

  await t.test('two instances that race for the same key write one order', async () => {
    const other = await pipeline.startOrder('other', quick)
    for (let round = 0; round < 5; round++) {
      const userID = `user-${randomUUID()}`
      const headers = { 'idempotency-key': randomUUID() }
      const answers = await Promise.all(
        Array.from({ length: 8 }, (_, index) =>
          postUntilFree((index % 2 === 0 ? steady : other).url, { ...anOrder, userID }, headers)
        )
      )
      assert.deepEqual([...new Set(answers.map(({ status }) => status))], [202])
      const [orderID, ...others] = new Set(answers.map(({ body }) => body.orderID))
      assert.equal(others.length, 0)
      assert.deepEqual(await pipeline.placedFor(userID, steady), [orderID])
    }
    await other.stop()
  })

  /** Places one order and then all others together, which share a batch as far as they arrive together. */
  async function placeAll<Result>(
    { userID, keys }: { readonly userID: string; readonly keys: readonly string[] },
    place: (order: object, headers: Record<string, string>) => Promise<Result>
  ): Promise<Result[]> {
    const results: Result[] = []
    const placeNext = async (key: string, total: number) => {
      results[total] = await place({ ...anOrder, userID, total }, { 'idempotency-key': key })
    }
    const [first = '', ...others] = keys
    await placeNext(first, 0)
    await Promise.all(others.map((key, index) => placeNext(key, index + 1)))
    return results
  }
  /** Repeats a request until it is accepted. On a slow machine it may get 503. @returns the order id */
  async function placeAtSteady(order: object, headers: Record<string, string>): Promise<string> {
    for (;;) {
      const { status, body } = await postUntilFree(steady.url, order, headers)
      if (status === 202) return body.orderID
      assert.equal(status, 503)
    }
  }
  const someOrders = () => ({ userID: `user-${randomUUID()}`, keys: Array.from({ length: 8 }, () => randomUUID()) })

  for (const point of ['sequence-reserved', 'key-claimed', 'order-written', 'key-stored']) {
    await t.test(
      `after a kill at failpoint ${point} the next attempts store each order of the batch once`,
      async () => {
        const doomed = await pipeline.startOrder(`doomed-${point}`, ending(`${point}:2`, 'SIGKILL'))
        const orders = someOrders()
        // On a slow machine a request may get 503 before it reaches the failpoint. The failpoint ends all requests of the
        // second batch.
        await placeAll(orders, async (order, headers) => {
          for (let status = 503; status === 503; )
            status = (await post(doomed.url, order, headers).catch(() => undefined))?.status ?? 0
        })
        await doomed.exit
        const orderIDs = await placeAll(orders, placeAtSteady)
        assert.equal(new Set(orderIDs).size, orders.keys.length)
        assert.deepEqual((await pipeline.placedFor(orders.userID, steady)).sort(), orderIDs.sort())
      }
    )
  }

  await t.test('a frozen instance that resumes after other attempts writes no second record', async () => {
    const frozen = await pipeline.startOrder('frozen', ending('key-claimed:2', 'SIGSTOP'))
    const orders = someOrders()
    const late = placeAll(orders, (order, headers) => post(frozen.url, order, headers))
    // The instance is frozen while it holds the claim of a batch that is not written.
    const abandoned = `SELECT FROM orders.reserved_batches AS pending JOIN orders.idempotency_keys ON batch_id = pending.id
      WHERE key = ANY ($1) AND pending.lease_until <= now()`
    while ((await pipeline.pool.query(abandoned, [orders.keys])).rowCount === 0);
    const orderIDs = await placeAll(orders, placeAtSteady)
    frozen.signal('SIGCONT')
    const resumed = await late
    for (const [index, { status, body }] of resumed.entries()) {
      // An order that was not claimed before the instance was frozen has waited too long for its claim.
      if (status === 202) assert.equal(body.orderID, orderIDs[index])
      else assert.equal(status, 503)
    }
    assert.deepEqual((await pipeline.placedFor(orders.userID, steady)).sort(), orderIDs.sort())
  })

  await t.test('a killed broker neither loses nor duplicates orders with keys', async () => {
    const userID = `user-${randomUUID()}`
    const keys = Array.from({ length: 30 }, () => randomUUID())
    const placing = keys.map(async (key, index) => {
      for (;;) {
        const order = { ...anOrder, userID, total: index }
        const answer = await post(steady.url, order, { 'idempotency-key': key }).catch(() => undefined)
        if (answer?.status === 202) return answer.body.orderID as string
      }
    })
    await pipeline.broker.kill()
    await pipeline.broker.start()
    const orderIDs = await Promise.all(placing)
    assert.deepEqual((await pipeline.placedFor(userID, steady)).sort(), orderIDs.sort())
  })
})

test('without a database, orders without a key are accepted and all other requests get 503', {
  timeout: 60_000
}, async t => {
  const pipeline = await startOrderPipeline(t)
  const service = await pipeline.startOrder('1', { DATABASE_URL: 'postgres://nobody:nothing@127.0.0.1:1/none' })
  const { status, body } = await post(service.url, anOrder, { prefer: 'wait=5' })
  assert.equal(status, 202)
  const refused = [
    await post(service.url, anOrder, { 'idempotency-key': 'a' }),
    ...(await Promise.all(
      [body.links.self, '/orders?userID=ann', body.links.events].map(async path => {
        const answer = await fetch(`${service.url}${path}`)
        return { status: answer.status, headers: answer.headers }
      })
    ))
  ]
  for (const answer of refused) {
    assert.equal(answer.status, 503)
    assert.match(answer.headers.get('retry-after') ?? '', /^\d+$/)
  }
})
