import { makeBody } from '../orders/make-orders.ts'

/**
 * Returns the bodies that every load generator (k6, too) sends repeatedly; prepared to save CPU
 * time under load.
 */
export function makeBodies(): string[] {
  return Array.from({ length: 1_000 }, (_, index) => makeBody(index))
}
