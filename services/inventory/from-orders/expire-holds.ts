import { expiryRequestID, type OrderChangeRequested } from '@orderly/contracts'
import type { OutputRecord, StageTick } from '@orderly/kafka'
import { newTraceparent } from '@orderly/service-kit'
import type { StockStore } from '../store/stock-store.ts'

export interface ExpireHoldsParts {
  readonly store: Pick<StockStore, 'takeDueHolds'>
  readonly toRecord: (change: OrderChangeRequested, traceparent: string, caller: string | undefined) => OutputRecord
  readonly everyMs: number
  readonly nowMs?: () => number
}

const maxHoldsAtOnce = 1_000
/** As long as an expiry may take from here through the topic, before it is asked for once more; longer and longer when nothing comes of it. */
const againAfterMs = 5_000

/**
 * Requests the expiry of holds that have ended, through the topic of cancels and confirmations. So the requests of a user and of
 * the clock are decided in one place, in one sequence. Every instance with partitions requests expiries. A repeated request has
 * the same id and does no harm. A request that was not written, because the instance died or was replaced, is repeated.
 */
export function expireHolds({ store, toRecord, everyMs, nowMs = Date.now }: ExpireHoldsParts): StageTick {
  return {
    everyMs,
    async run() {
      const requestedAtMs = nowMs()
      const due = await store.takeDueHolds(requestedAtMs, { limit: maxHoldsAtOnce, againAfterMs })
      const traceparent = newTraceparent()
      return due.map(({ orderID, userID, caller, holdUntilMs }) => {
        const requestID = expiryRequestID(orderID, holdUntilMs)
        return toRecord({ orderID, userID, change: 'expire', requestedAtMs, requestID }, traceparent, caller)
      })
    }
  }
}
