import { setTimeout as delay } from 'node:timers/promises'
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
  until(
    orderID: string,
    isWanted: (order: Order) => boolean,
    options: { readonly timeoutMs: number; readonly signal: AbortSignal }
  ): Promise<Order | undefined>
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

/** Beyond so many at a time nobody waits. */
export function limitWatch(watch: OrderWatch, maxWaiting: number): OrderWatch {
  let waiting = 0
  return {
    async until(...given) {
      if (waiting >= maxWaiting) return undefined
      waiting++
      try {
        return await watch.until(...given)
      } finally {
        waiting--
      }
    }
  }
}
