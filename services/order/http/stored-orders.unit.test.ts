import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  anyInventoryConfirmed,
  anyInventoryFailed,
  anyInventoryReleased,
  anyInventoryReserved,
  anyOrderCreated
} from '@orderly/contracts/testing'
import { newID } from '@orderly/service-kit'
import fc from 'fast-check'
import { type OrderChange, withoutNulls } from '../domain/order-change.ts'
import { createOrderApi } from '../testing/order-api.ts'

/** Generates changes of one order from any events that the schemas allow. */
const anyChange = fc
  .tuple(
    anyOrderCreated(),
    fc.option(fc.oneof(anyInventoryReserved(), anyInventoryFailed()), { nil: undefined }),
    fc.option(anyInventoryConfirmed(), { nil: undefined }),
    fc.option(anyInventoryReleased(), { nil: undefined })
  )
  .map(([created, decided, confirmed, released]): Omit<OrderChange, 'orderID' | 'userID'> => {
    const place = { partition: 0, offset: 0 }
    const { orderID: _, userID: __, createdAtMs, ...content } = created
    return {
      created: { ...withoutNulls(content), acceptedAtMs: createdAtMs, ...place },
      ...(decided !== undefined && {
        decided:
          'shortages' in decided
            ? { kind: 'failed', ...decided, ...place }
            : { kind: 'reserved', ...decided, ...place, holdUntilMs: decided.holdUntilMs ?? 0 }
      }),
      ...(confirmed !== undefined && { confirmed: { ...confirmed, ...place } }),
      ...(released !== undefined && { released: { ...released, ...place } })
    }
  })

test('an order in an unknown currency has its total in minor units and can be listed', async t => {
  const api = await createOrderApi(t)
  const orderID = newID()
  const created = { items: [], totalMinor: 1_234, currency: 'XBT', acceptedAtMs: 0, partition: 0, offset: 0 }
  await api.orders.apply([{ orderID, userID: 'ann', created }])
  const { statusCode, ...answer } = await api.http.inject(`/orders/${orderID}`)
  const { total, totalMinor, currency } = answer.json()
  assert.deepEqual([statusCode, total, totalMinor, currency], [200, undefined, 1_234, 'XBT'])
  const page = await api.http.inject('/orders?userID=ann')
  assert.deepEqual([page.statusCode, page.json().orders.length], [200, 1])
})

test('reads and change requests do not fail for any stored order', async t => {
  const api = await createOrderApi(t)
  await fc.assert(
    fc.asyncProperty(anyChange, async change => {
      const orderID = newID()
      await api.orders.apply([{ orderID, userID: 'ann', ...change }])
      const requests: ['GET' | 'POST', string][] = [
        ['GET', `/orders/${orderID}`],
        ['GET', '/orders?userID=ann&limit=1'],
        ['POST', `/orders/${orderID}/cancel`]
      ]
      // Without an outcome the stream would stay open, and a confirmation would wait.
      if (change.decided !== undefined) requests.push(['POST', `/orders/${orderID}/confirm`])
      if (change.decided !== undefined && change.released !== undefined)
        requests.push(['GET', `/orders/${orderID}/events`])
      for (const [method, url] of requests) {
        const { statusCode, body } = await api.http.inject({ method, url })
        assert.ok(statusCode < 500, `${method} ${url}: ${body}`)
      }
    })
  )
})

test('a page has a valid cursor for any id of its last order', async t => {
  const api = await createOrderApi(t)
  const created = { items: [], totalMinor: 1, currency: 'EUR', acceptedAtMs: 0, partition: 0, offset: 0 }
  const ids = ['o-1', 'o 2.ü', 'o-3'.padEnd(200, 'x')]
  await api.orders.apply(ids.map(orderID => ({ orderID, userID: 'ann', created })))
  const seen: string[] = []
  for (let cursor: string | undefined = ''; cursor !== undefined; ) {
    const url: string = `/orders?userID=ann&limit=1${cursor && `&cursor=${cursor}`}`
    const answer = await api.http.inject({ url })
    assert.equal(answer.statusCode, 200, answer.body)
    const page: { orders: { orderID: string }[]; nextCursor?: string } = answer.json()
    seen.push(...page.orders.map(({ orderID }) => orderID))
    cursor = page.nextCursor
  }
  assert.deepEqual(seen, ids.toSorted().toReversed())
})
