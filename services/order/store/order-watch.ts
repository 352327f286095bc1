import { setTimeout as delay } from 'node:timers/promises'
import { createShares, type ShareLimits } from '@orderly/callers'
import type { Order } from '../domain/order-status.ts'
import type { OrderStore } from './order-store.ts'

/**
 * Waits for changes of orders, whichever instance projects them. While there are waiters, one query
 * every few milliseconds reads the orders of all of them. Without waiters no query runs.
 *
 * While the database is unavailable, the query is repeated until the waits end.
 */
export interface OrderWatch {
  /**
   * Waits until `isWanted` accepts the order, until the timeout, or until the signal is aborted.
   * The number of waits is limited, in total and per caller.
   * @returns undefined immediately if too many requests wait, or if the database is not open yet;
   * otherwise the order as last seen, or undefined if it was not found
   */
  until(
    orderID: string,
    isWanted: (order: Order) => boolean,
    options: WaitOptions & { readonly caller: string | undefined }
  ): Promise<Order | undefined> | undefined
  /** Waits without these limits, for streams, whose number has a separate limit. */
  untilUnlimited(orderID: string, isWanted: (order: Order) => boolean, options: WaitOptions): Promise<Order | undefined>
}

export interface WaitOptions {
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

export interface OrderWatchOptions {
  readonly limits: ShareLimits
  readonly isOpen?: () => boolean
  /** Time between two queries; default 30 ms. */
  readonly everyMs?: number
}

interface Waiter {
  readonly orderID: string
  readonly isWanted: (order: Order) => boolean
  lastSeen: Order | undefined
  readonly end: () => void
}

export function createOrderWatch(store: Pick<OrderStore, 'find'>, options: OrderWatchOptions): OrderWatch {
  const { limits, isOpen = () => true, everyMs = 30 } = options
  const shares = createShares(limits)
  const waiters = new Set<Waiter>()
  let isPolling = false

  async function poll(): Promise<void> {
    if (isPolling) return
    isPolling = true
    while (waiters.size > 0) {
      await readOrders().catch(() => {})
      if (waiters.size > 0) await delay(everyMs)
    }
    isPolling = false
  }

  async function readOrders(): Promise<void> {
    const current = [...waiters]
    const found = await store.find([...new Set(current.map(({ orderID }) => orderID))])
    for (const waiter of current) {
      const order = found.get(waiter.orderID)
      waiter.lastSeen = order ?? waiter.lastSeen
      if (order !== undefined && waiter.isWanted(order)) waiter.end()
    }
  }

  async function wait(
    orderID: string,
    isWanted: (order: Order) => boolean,
    { timeoutMs, signal }: WaitOptions
  ): Promise<Order | undefined> {
    if (signal.aborted || timeoutMs <= 0) return undefined
    const { promise, resolve } = Promise.withResolvers<void>()
    const waiter: Waiter = { orderID, isWanted, lastSeen: undefined, end: resolve }
    const timer = setTimeout(resolve, timeoutMs)
    signal.addEventListener('abort', waiter.end, { once: true })
    waiters.add(waiter)
    void poll()
    try {
      await promise
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', waiter.end)
      waiters.delete(waiter)
    }
    return waiter.lastSeen
  }

  return {
    until(orderID, isWanted, { caller, ...waitOptions }) {
      const release = isOpen() ? shares.acquire(caller) : undefined
      return typeof release === 'function' ? wait(orderID, isWanted, waitOptions).finally(release) : undefined
    },
    untilUnlimited: wait
  }
}
