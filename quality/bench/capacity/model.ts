// A small model of the inventory, for plans that are too large to run here. Orders arrive evenly
// over partitions. Each instance takes all pending orders as one batch, decides it in Postgres, and
// commits it while it decides the next one, as the stage does. Batches with the same hot SKU are
// decided one after the other, because of its row lock. Times are in milliseconds.

export interface Costs {
  /** Fixed costs per batch: round trips to Postgres, the steps of a Kafka transaction. */
  readonly decideBatchMs: number
  readonly commitBatchMs: number
  /** Additional costs per order. */
  readonly decideOrderMs: number
  readonly processOrderMs: number
  readonly commitOrderMs: number
}

export interface Plan {
  readonly ordersPerSecond: number
  readonly instances: number
  /** Number of databases over which the instances are distributed. */
  readonly shards: number
  /** Maximum rate of one database with all its cores. */
  readonly shardOrdersPerSecond: number
  readonly maxBatch: number
  /** Number of rows over which the stock of one hot SKU is split; 0 without a hot SKU. */
  readonly hotSplits: number
}

export interface Outcome {
  /** Processed share of the arriving orders; below 1 the backlog grows without bound. */
  readonly keptUp: number
  readonly meanBatch: number
  /** Median time from an order's arrival to the commit of its batch. */
  readonly p50Ms: number
  readonly busyShards: number
}

interface Instance {
  freeAtMs: number
  committedAtMs: number
  takenUntilMs: number
}

/** Simulates a plan. Deterministic: the same plan always gives the same outcome. */
export function simulate(plan: Plan, costs: Costs, durationMs: number): Outcome {
  const perMs = plan.ordersPerSecond / 1_000 / plan.instances
  // Spreads the start of the instances over 10 ms, so that they do not run in lockstep.
  const instances = Array.from({ length: plan.instances }, (_, index): Instance => {
    const startMs = (index / plan.instances) * 10
    return { freeAtMs: startMs, committedAtMs: startMs, takenUntilMs: startMs }
  })
  const shardFreeAtMs = new Array<number>(plan.shards).fill(0)
  const shardBusyMs = new Array<number>(plan.shards).fill(0)
  const lockFreeAtMs = new Array<number>(Math.max(1, plan.hotSplits)).fill(0)
  const latencies: { ms: number; orders: number }[] = []
  let decided = 0
  let batches = 0
  for (;;) {
    const index = earliest(instances)
    const own = instances[index] as Instance
    if (own.freeAtMs >= durationMs) break
    const waiting = Math.floor((own.freeAtMs - own.takenUntilMs) * perMs)
    if (waiting === 0) {
      own.freeAtMs = own.takenUntilMs + 1 / perMs + 1e-6
      continue
    }
    const orders = Math.min(waiting, plan.maxBatch)
    const [firstAtMs, lastAtMs] = [own.takenUntilMs, own.takenUntilMs + orders / perMs]
    const shard = index % plan.shards
    // Instances share the capacity of their shard.
    const shardMs = (orders / plan.shardOrdersPerSecond) * 1_000
    const lock = index % lockFreeAtMs.length
    const startMs = Math.max(own.freeAtMs, plan.hotSplits > 0 ? (lockFreeAtMs[lock] as number) : 0)
    const shardDoneMs = Math.max(startMs, shardFreeAtMs[shard] as number) + shardMs
    const decidedMs = Math.max(startMs + costs.decideBatchMs + orders * costs.decideOrderMs, shardDoneMs)
    shardFreeAtMs[shard] = shardDoneMs
    shardBusyMs[shard] = (shardBusyMs[shard] as number) + shardMs
    if (plan.hotSplits > 0) lockFreeAtMs[lock] = decidedMs
    const processedMs = decidedMs + orders * costs.processOrderMs
    const commitStartMs = Math.max(processedMs, own.committedAtMs)
    own.committedAtMs = commitStartMs + costs.commitBatchMs + orders * costs.commitOrderMs
    own.freeAtMs = commitStartMs
    own.takenUntilMs = lastAtMs
    latencies.push({ ms: own.committedAtMs - (firstAtMs + lastAtMs) / 2, orders })
    decided += orders
    batches++
  }
  const arrived = instances.length * durationMs * perMs
  return {
    keptUp: Math.min(1, decided / arrived),
    meanBatch: decided / batches,
    p50Ms: middleOf(latencies),
    busyShards: Math.min(1, mean(shardBusyMs) / durationMs)
  }
}

function earliest(instances: readonly Instance[]): number {
  let found = 0
  for (let index = 1; index < instances.length; index++) {
    if ((instances[index] as Instance).freeAtMs < (instances[found] as Instance).freeAtMs) found = index
  }
  return found
}

function middleOf(latencies: readonly { ms: number; orders: number }[]): number {
  const sorted = latencies.toSorted((one, other) => one.ms - other.ms)
  const total = sorted.reduce((sum, { orders }) => sum + orders, 0)
  let before = 0
  for (const { ms, orders } of sorted) {
    before += orders
    if (before >= total / 2) return ms
  }
  return Number.NaN
}

function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0) / numbers.length
}
