import { setTimeout as delay } from 'node:timers/promises'
import { createShares, type ShareLimits } from '@orderly/callers'
import type { Order } from '../domain/order-status.ts'
import type { OrderStore } from './order-store.ts'

/**
 * Waits for orders to change, whichever instance projects them. While anybody waits, one query every few milliseconds asks for
 * all orders that are waited for; while nobody does, nothing runs.
 *
 * A database that does not answer is asked again until the waiting is over.
 */
export interface OrderWatch {
  /**
   * @returns the order as soon as it is as wanted; otherwise as it was last seen, if it was, when time is up or the signal is
   * aborted
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

/** A watch with limits of the requests that wait at a time: in all, and of one caller. */
export interface LimitedWatch {
  /** As OrderWatch. @returns undefined when the request must not wait, since too many do */
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
