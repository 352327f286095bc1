import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import { waitUntil } from '@orderly/launcher'

export interface Shop {
  readonly orderURL: string
  /** API key, if the order service requires one. */
  readonly key?: string
}

export interface PlacedOrder {
  readonly orderID: string
  readonly status: string
}

/** The sample stock has 1,000 of it. */
export const sku = 'TEA-EARL-GREY-100G'
const order = { userID: 'ada', items: [{ sku, quantity: 1 }], total: 6.9 }
/** It is out of stock after three orders, so that load leaves the other stock alone. */
const scarce = { userID: 'load', items: [{ sku: 'COFFEE-GEISHA-50G', quantity: 1 }], total: 24 }
const json = { 'content-type': 'application/json' }

/** Sends a request with the shop's API key. */
export const send = ({ orderURL, key }: Shop, path: string, { headers, ...init }: RequestInit = {}) =>
  fetch(`${orderURL}${path}`, {
    ...init,
    headers: { ...(key !== undefined && { authorization: `Bearer ${key}` }), ...(headers as Record<string, string>) }
  })

/** Places an order and waits until it is decided. Repeats it with one key while the service restarts. */
export async function placeOrder(shop: Shop): Promise<PlacedOrder> {
  const headers = { ...json, prefer: 'wait=30', 'idempotency-key': crypto.randomUUID() }
  let placed: PlacedOrder | undefined
  const isPlaced = async () => {
    const response = await send(shop, '/orders', { method: 'POST', headers, body: JSON.stringify(order) })
    const text = await response.text()
    assert.ok(response.ok, text)
    placed = JSON.parse(text) as PlacedOrder
    return true
  }
  await waitUntil(isPlaced, { what: 'an order to be placed', deadlineMs: 180_000, intervalMs: 1_000 })
  const { orderID, status } = placed as PlacedOrder
  if (status !== 'accepted') return { orderID, status }
  return { orderID, status: await waitForStatus(shop, orderID, /reserved|failed/) }
}

/** Waits until an order has a status. */
export async function waitForStatus(shop: Shop, orderID: string, wanted: RegExp | string): Promise<string> {
  let status = ''
  const isReached = async () => {
    const response = await send(shop, `/orders/${orderID}`)
    if (response.ok) status = ((await response.json()) as PlacedOrder).status
    return typeof wanted === 'string' ? status === wanted : wanted.test(status)
  }
  await waitUntil(isReached, { what: `the status ${wanted} of ${orderID}`, deadlineMs: 180_000, intervalMs: 500 })
  return status
}

/** Places orders from several connections. @returns how many were accepted */
export async function placeOrders(
  shop: Shop,
  { seconds, concurrency }: { readonly seconds: number; readonly concurrency: number }
): Promise<number> {
  const end = performance.now() + seconds * 1_000
  let accepted = 0
  const place = async () => {
    while (performance.now() < end) {
      const response = await send(shop, '/orders', { method: 'POST', headers: json, body: JSON.stringify(scarce) })
      await response.arrayBuffer()
      if (response.ok) accepted++
      // The service is at its limit.
      else await delay(100)
    }
  }
  await Promise.all(Array.from({ length: concurrency }, place))
  assert.ok(accepted > 0, 'no order was accepted')
  return accepted
}
