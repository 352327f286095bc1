import type { Outcome } from '../domain/decide.ts'
import { decideOnce } from '../domain/decide-once.ts'
import type { StockLevel, StockStore } from './stock-store.ts'

/** Lasts as long as the process. For tests and a first look. */
export function createMemoryStore(nowMs: () => number = Date.now): StockStore {
  const available = new Map<string, number>()
  const reserved = new Map<string, number>()
  const outcomes = new Map<string, Outcome>()

  return {
    async decide(orders) {
      const { decided, fresh } = decideOnce(outcomes, available, orders, nowMs())
      for (const outcome of fresh.outcomes) outcomes.set(outcome.event.orderID, outcome)
      for (const [sku, pieces] of fresh.taken) {
        available.set(sku, (available.get(sku) ?? 0) - pieces)
        reserved.set(sku, (reserved.get(sku) ?? 0) + pieces)
      }
      return decided
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
    if (!Number.isSafeInteger(count) || count < 0) throw new RangeError(`${count} pieces of ${sku}`)
  }
}
