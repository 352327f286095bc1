import { decideBatch } from '../../domain/decide-batch.ts'
import type { OrderState } from '../../domain/decide-change.ts'
import { type HeldPieces, type HoldLimits, holderOf, noHoldLimits } from '../../domain/hold-limits.ts'
import type { DueHold, StockLevel } from '../stock-store.ts'
import type { TestStore } from './test-store.ts'

/** Creates a store in memory, for tests. */
export function createMemoryStore(nowMs: () => number = Date.now, limits: HoldLimits = noHoldLimits): TestStore {
  let sequence = 0
  const available = new Map<string, number>()
  const reserved = new Map<string, number>()
  const known = new Map<string, OrderState>()
  const holds = new Map<string, DueHold & { readonly expireAtMs: number }>()

  function heldPieces(): HeldPieces {
    const held = new Map<string, number>()
    for (const { orderID, caller } of holds.values()) {
      const outcome = known.get(orderID)?.outcome
      if (outcome?.kind !== 'reserved') continue
      const pieces = outcome.event.items.reduce((sum, { quantity }) => sum + quantity, 0)
      held.set(holderOf({ caller }), (held.get(holderOf({ caller })) ?? 0) + pieces)
    }
    return held
  }

  return {
    async decide(batch) {
      const stamp = { atMs: nowMs(), nextSequence: () => ++sequence }
      const { fresh, ...decided } = decideBatch(known, available, batch, stamp, { limits, held: heldPieces() })
      for (const settlement of fresh.settlements) {
        const { orderID } = settlement.event
        known.set(orderID, { ...(known.get(orderID) as OrderState), [settlement.kind]: settlement })
        holds.delete(orderID)
      }
      for (const outcome of fresh.outcomes) {
        const { orderID, userID } = outcome.event
        const { caller } = outcome
        known.set(orderID, { outcome })
        if (outcome.kind === 'failed' || outcome.event.holdUntilMs === null) continue
        const { holdUntilMs } = outcome.event
        const owner = caller === undefined ? {} : { caller }
        holds.set(orderID, { orderID, userID, ...owner, holdUntilMs, expireAtMs: holdUntilMs })
      }
      for (const [sku, pieces] of fresh.moved) {
        available.set(sku, (available.get(sku) ?? 0) - pieces)
        reserved.set(sku, (reserved.get(sku) ?? 0) + pieces)
      }
      return decided
    },

    async takeDueHolds(atMs, { limit, againAfterMs }) {
      const due = [...holds.values()]
        .filter(({ expireAtMs }) => expireAtMs <= atMs)
        .sort((a, b) => a.expireAtMs - b.expireAtMs)
        .slice(0, limit)
      for (const hold of due) {
        holds.set(hold.orderID, {
          ...hold,
          expireAtMs: atMs + Math.max(againAfterMs, (atMs - hold.holdUntilMs) / 10)
        })
      }
      return due.map(({ expireAtMs: _, ...hold }) => hold)
    },

    async setAvailable(pieces) {
      checkPieces(pieces)
      for (const [sku, count] of pieces) available.set(sku, count)
    },

    async addMissing(pieces) {
      checkPieces(pieces)
      const missing = [...pieces].filter(([sku]) => !available.has(sku))
      for (const [sku, count] of missing) available.set(sku, count)
      return missing.length
    },

    async levels(skus = [...available.keys()]) {
      return [...new Set(skus)]
        .filter(sku => available.has(sku))
        .sort()
        .map((sku): StockLevel => ({ sku, available: available.get(sku) ?? 0, reserved: reserved.get(sku) ?? 0 }))
    }
  }
}

function checkPieces(pieces: ReadonlyMap<string, number>): void {
  for (const [sku, count] of pieces) {
    if (!Number.isSafeInteger(count) || count < 0)
      throw new RangeError(`the pieces of ${sku} must be an integer of at least 0 (got ${count})`)
  }
}
