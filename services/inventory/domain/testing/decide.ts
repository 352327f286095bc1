import { decideBatch } from '../decide-batch.ts'
import type { Outcome, Stamp } from '../decide-order.ts'
import type { OrderToDecide } from '../order.ts'

/** Returns a stamp with a fixed time and the sequence number 0, for tests that ignore numbers. */
export function at(atMs: number): Stamp {
  return { atMs, nextSequence: () => 0 }
}

/** Decides new orders. @returns their outcomes, and the pieces that they reserve */
export function decide(
  available: ReadonlyMap<string, number>,
  orders: readonly OrderToDecide[],
  stamp: Stamp
): { readonly outcomes: readonly Outcome[]; readonly taken: ReadonlyMap<string, number> } {
  const { outcomes, moved } = decideBatch(new Map(), available, { orders, changes: [] }, stamp).fresh
  return { outcomes, taken: moved }
}
