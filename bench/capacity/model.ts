/**
 * A small model of the inventory, to check plans that no machine here can run: orders arrive evenly over partitions, instances take what
 * waits as one batch, decide it in Postgres, and commit it beside the next one, as the stage does. Batches that want the same hot SKU
 * decide one after the other, as its row lock makes them. Times are milliseconds.
 */
export interface Costs {
  /** Of a batch, however small: round trips to Postgres, the steps of a Kafka transaction. */
  readonly decideBatchMs: number
  readonly commitBatchMs: number
  /** Of each order in it. */
  readonly decideOrderMs: number
  readonly processOrderMs: number
  readonly commitOrderMs: number
}

export interface Plan {
  readonly ordersPerSecond: number
  readonly instances: number
  /** Databases that the instances are dealt out to. */
  readonly shards: number
  /** Orders that a database decides in a second at most, all its cores. */
  readonly shardOrdersPerSecond: number
  readonly maxBatch: number
  /** How many rows one hot SKU's stock is split into; 0 when nothing is hot. */
  readonly hotSplits: number
}

export interface Outcome {
  /** Of what arrived; below 1 the backlog grows without end. */
  readonly keptUp: number
  readonly meanBatch: number
  /** From an order's arrival to the commit of its batch: half of the orders wait for less. */
  readonly p50Ms: number
  readonly busyShards: number
}

interface Instance {
  freeAtMs: number
  committedAtMs: number
  takenUntilMs: number
}

/** Deterministic: the same plan always gives the same outcome. */
export function simulate(plan: Plan, costs: Costs, durationMs: number): Outcome {
  const perMs = plan.ordersPerSecond / 1_000 / plan.instances
  // Not in step: the first batches of the instances begin spread over some milliseconds.
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
    // A shard works for several instances at once; what it gives to one of them it takes from the others.
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
