import type { OrderChangeRequested } from '@orderly/contracts'
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
 * Asks for the expiry of holds that have ended, by the topic that confirmations and cancels come by: what an order's holder wants
 * and what time does are decided in one place, in one sequence. Whoever has partitions asks; that it may be asked twice does
 * no harm, and what is asked and not written (as the instance died, or was replaced) is asked again.
 */
export function expireHolds({ store, toRecord, everyMs, nowMs = Date.now }: ExpireHoldsParts): StageTick {
  return {
    everyMs,
    async run() {
      const requestedAtMs = nowMs()
      const due = await store.takeDueHolds(requestedAtMs, { limit: maxHoldsAtOnce, againAfterMs })
      const traceparent = newTraceparent()
      return due.map(({ orderID, userID, caller }) =>
        toRecord({ orderID, userID, change: 'expire', requestedAtMs }, traceparent, caller)
      )
    }
  }
}
