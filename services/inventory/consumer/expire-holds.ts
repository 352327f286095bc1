import { changeName, expiryRequestID, type Topics, toRecord } from '@orderly/contracts'
import type { StageTick } from '@orderly/kafka'
import { newTraceparent } from '@orderly/service-kit'
import type { StockStore } from '../store/stock-store.ts'

export interface ExpireHoldsOptions extends Pick<Topics, 'ordersChanges'> {
  readonly store: Pick<StockStore, 'takeDueHolds'>
  readonly everyMs: number
  readonly nowMs?: () => number
}

const maxHoldsAtOnce = 1_000
/**
 * Minimum delay before the expiry of a hold is requested again; the store increases it with the
 * time since the hold ended.
 */
const againAfterMs = 5_000

/**
 * Publishes an expiry request for every hold that has ended and is neither confirmed nor released.
 * The requests go to the topic of cancels and confirmations, so one log orders all three.
 *
 * Every instance with partitions does this. A repeated request has the same id and no effect. A
 * request that was not written, because its instance died or was replaced, is repeated.
 */
export function expireHolds({ store, ordersChanges, everyMs, nowMs = Date.now }: ExpireHoldsOptions): StageTick {
  return {
    everyMs,
    async run() {
      const requestedAtMs = nowMs()
      const due = await store.takeDueHolds(requestedAtMs, { limit: maxHoldsAtOnce, againAfterMs })
      const traceparent = newTraceparent()
      return due.map(({ orderID, userID, caller, holdUntilMs }) => {
        const requestID = expiryRequestID(orderID, holdUntilMs)
        const request = { orderID, userID, change: 'expire', requestedAtMs, requestID }
        return toRecord(ordersChanges, request, traceparent, { about: changeName(request), caller })
      })
    }
  }
}
