import { test } from 'node:test'
import { createAPIKeyCache } from '@orderly/callers'
import { createMemoryApiKeyStore, grantKey } from '@orderly/callers/testing'
import { type FuzzAnswer, fuzzApi, silentLogger } from '@orderly/service-kit/testing'
import { createOrderApi } from './testing/order-api.ts'

test('every generated request gets a response that the OpenAPI document describes', async t => {
  const store = createMemoryApiKeyStore()
  const callers = createAPIKeyCache(store, {
    refreshMs: 3_600_000,
    trustMs: 3_600_000,
    requestsPerMinute: 10_000_000,
    logger: silentLogger()
  })
  t.after(() => callers.stop())
  const api = await createOrderApi(t, {
    callers,
    streamLimits: { total: 1_000, perCaller: 1_000 }
  })
  const baseURL = await api.listen()
  const document = (await api.http.inject('/openapi.json')).json()
  const key = await grantKey(store, { name: 'berlin', role: 'shop' })

  let placed = 0
  /** Stores the status of orders in place of the projection. Most are reserved with a hold. */
  const project = ({ body }: FuzzAnswer) => {
    const answer = JSON.parse(body || '{}')
    const orderIDs: string[] = [answer, ...(answer.results ?? [])].flatMap(({ status, orderID }) =>
      orderID !== undefined && (status === 'accepted' || status === 202) ? orderID : []
    )
    return api.orders.apply(
      orderIDs.map(orderID => {
        const place = { partition: 0, offset: placed++ }
        const created = {
          items: [{ sku: 'A', quantity: 1 }],
          totalMinor: 100,
          currency: 'EUR',
          acceptedAtMs: 1_000,
          holdSeconds: 900
        }
        const decided = { kind: 'reserved' as const, decidedAtMs: 2_000, holdUntilMs: 4e12, ...place }
        return {
          orderID,
          userID: 'ann',
          created: { ...created, caller: 'berlin', ...place },
          ...(placed % 8 !== 0 && { decided })
        }
      })
    )
  }

  const { statuses } = await fuzzApi(document, {
    baseURL,
    headers: { authorization: `Bearer ${key}` },
    runs: 12,
    onAnswer: project
  })
  t.diagnostic(JSON.stringify(statuses))
})
