import { makeBody } from '../orders/make-orders.ts'

/** What every load generator sends, over and over: made before, as making them takes time of the load. k6 runs this, too. */
export function makeBodies(): string[] {
  return Array.from({ length: 1_000 }, (_, index) => makeBody(index))
}
