import type { Costs } from './model.ts'

/**
 * What the model reckons with. Where a figure comes from stands beside it: a plan is as good as its costs, so measure on your machines
 * (`npm run bench -- inventory order`) and put yours here.
 */

/** Microseconds of a core for an order. */
export const coreUsOfAnOrder = {
  /** bench/results/order.md: 77 to 139 in whole rounds, as fast as the machine happened to be; with keys and the status projection 104 to 139. */
  order: 139,
  /** bench/results/inventory.md: 26 to 29 in whole rounds (uniform, two lines each); one instance brought 19,000 to 21,000/s through where all shared 2 cores. */
  inventory: 29,
  /** bench/results/order.md and inventory.md: 10 to 18 for taking an order, 7 for reading it and writing its outcome. The other readers are not in it. */
  broker: 25,
  /** Assumed: three times the time of the plain prototype below, for the disk, replication and checkpoints that it did not have. */
  postgres: 28
} as const

/**
 * A prototype of the reservation, one client on an idle machine of 2 cores, decided 38,000, 66,000 and 98,000 orders/s in batches of 100, 500
 * and 2,000: nearly a line of 1.7 ms for each batch and 9.4 µs for each order. Bare transactional loops took some 3.9 ms for each
 * transaction and 7.5 µs for each record. Ours adds the processor time above.
 */
export const localCosts: Costs = {
  decideBatchMs: 1.7,
  commitBatchMs: 3.9,
  decideOrderMs: 0.0094,
  processOrderMs: coreUsOfAnOrder.inventory / 1_000,
  commitOrderMs: 0.0075
}

/** Two round trips to Postgres; four to Kafka one after the other, of which one waits for the replicas. */
export function onNetwork(costs: Costs, roundTripMs: number): Costs {
  return {
    ...costs,
    decideBatchMs: costs.decideBatchMs + 2 * roundTripMs,
    commitBatchMs: costs.commitBatchMs + 4 * roundTripMs
  }
}
