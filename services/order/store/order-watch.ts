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
   * @returns the order as last seen, or undefined if it was not found
   */
  until(orderID: string, isWanted: (order: Order) => boolean, options: WatchOptions): Promise<Order | undefined>
}

export interface WatchOptions {
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

interface Waiter {
  readonly orderID: string
  readonly isWanted: (order: Order) => boolean
  lastSeen: Order | undefined
  readonly end: () => void
}

export function createOrderWatch(store: Pick<OrderStore, 'find'>, everyMs = 30): OrderWatch {
  const waiters = new Set<Waiter>()
  let isPolling = false

  async function poll(): Promise<void> {
    if (isPolling) return
    isPolling = true
    while (waiters.size > 0) {
      await look().catch(() => {})
      if (waiters.size > 0) await delay(everyMs)
    }
    isPolling = false
  }

  async function look(): Promise<void> {
    const asked = [...waiters]
    const found = await store.find([...new Set(asked.map(({ orderID }) => orderID))])
    for (const waiter of asked) {
      const order = found.get(waiter.orderID)
      waiter.lastSeen = order ?? waiter.lastSeen
      if (order !== undefined && waiter.isWanted(order)) waiter.end()
    }
  }

  return {
    async until(orderID, isWanted, { timeoutMs, signal }) {
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
  }
}

/** A watch that limits the number of waiting requests, in total and per caller. */
export interface LimitedWatch {
  /** Waits like OrderWatch. @returns undefined immediately if too many requests wait */
  until(
    orderID: string,
    isWanted: (order: Order) => boolean,
    options: WatchOptions & { readonly caller: string | undefined }
  ): Promise<Order | undefined> | undefined
}

export function limitWatch(watch: OrderWatch, limits: ShareLimits): LimitedWatch {
  const shares = createShares(limits)
  return {
    until(orderID, isWanted, { caller, ...options }) {
      const release = shares.acquire(caller)
      return typeof release === 'function' ? watch.until(orderID, isWanted, options).finally(release) : undefined
    }
  }
}
