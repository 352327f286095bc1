import {
  coreUs,
  type Figure,
  logBytes,
  machines,
  newest,
  type Pick,
  planned,
  stepsWith,
  transactionMs
} from './costs.ts'

// Computes from the costs which resources a rate needs, and at which rates resources are exhausted.

export const maxBatch = 2_000
/**
 * Planned CPU utilization of instances and brokers. A database is full at 75 %, the rest is for
 * vacuum and checkpoints.
 */
const halfBusy = 0.5
const fullDatabase = 0.75
/**
 * Partitions per planned instance; several, because a keyed topic should not get more partitions
 * later.
 */
const partitionsPerInstance = 4

interface Need {
  readonly what: string
  /** Undefined if CPU time is not the limiting resource. */
  readonly cores: number | undefined
  readonly needed: string
}

export const components = {
  order: [coreUs.order, coreUs.apiKeys],
  orderWithIdempotency: [coreUs.order, coreUs.apiKeys, coreUs.idempotencyKey],
  inventory: [coreUs.inventory],
  notification: [coreUs.notification],
  aggregator: [coreUs.aggregator],
  broker: [coreUs.broker],
  reservation: [coreUs.reservation],
  status: [coreUs.status],
  statusWithIdempotency: [coreUs.status, coreUs.idempotencyInPostgres],
  deliveryStore: [coreUs.deliveryStore]
} as const satisfies Record<string, readonly Figure[]>

export function usOf(figures: readonly Figure[], pick: Pick): number {
  return figures.reduce((sum, figure) => sum + pick(figure), 0)
}

function coresOf(figures: readonly Figure[], ordersPerSecond: number, pick: Pick): number {
  return (usOf(figures, pick) * ordersPerSecond) / 1e6
}

/**
 * Returns the number of instances with half a core of work each, since one thread does nearly all
 * of it.
 */
export function instancesOf(figures: readonly Figure[], ordersPerSecond: number, pick: Pick): number {
  return Math.ceil(coresOf(figures, ordersPerSecond, pick) / halfBusy)
}

export function databasesOf(figures: readonly Figure[], ordersPerSecond: number, pick: Pick): number {
  return Math.ceil(coresOf(figures, ordersPerSecond, pick) / machines.cores / halfBusy)
}

function brokersOf(ordersPerSecond: number, pick: Pick): number {
  const cores = coresOf(components.broker, ordersPerSecond, pick) * machines.replicas
  return Math.max(machines.replicas, Math.ceil(cores / machines.cores / halfBusy))
}

/** Returns the maximum rate of one database. */
export function databaseOrdersPerSecond(figures: readonly Figure[], pick: Pick): number {
  return (machines.cores * fullDatabase * 1e6) / usOf(figures, pick)
}

export function needsOf(ordersPerSecond: number, pick: Pick): Need[] {
  const services = (what: string, figures: readonly Figure[]): Need => ({
    what,
    cores: coresOf(figures, ordersPerSecond, pick),
    needed: count(instancesOf(figures, ordersPerSecond, pick))
  })
  const databases = (what: string, figures: readonly Figure[]): Need => ({
    what,
    cores: coresOf(figures, ordersPerSecond, pick),
    needed: count(databasesOf(figures, ordersPerSecond, pick))
  })
  const other = (what: string, needed: string): Need => ({ what, cores: undefined, needed })
  const partitions = (figures: readonly Figure[]) =>
    count(partitionsPerInstance * instancesOf(figures, ordersPerSecond, pick))
  const mbPerSecond = ((logBytes.order + logBytes.outcome) * machines.replicas * ordersPerSecond) / 1e6
  return [
    services('order services, with API keys and status', components.order),
    services('the same, an `Idempotency-Key` on each order', components.orderWithIdempotency),
    services('inventories', components.inventory),
    services('notifications', components.notification),
    services('aggregators', components.aggregator),
    {
      what: `brokers of ${machines.cores} cores, ${machines.replicas} replicas`,
      cores: coresOf(components.broker, ordersPerSecond, pick) * machines.replicas,
      needed: count(brokersOf(ordersPerSecond, pick))
    },
    databases('databases, reservation', components.reservation),
    databases('databases, status and API keys', components.status),
    databases('the same, an `Idempotency-Key` on each order', components.statusWithIdempotency),
    databases('databases, deliveries of notifications', components.deliveryStore),
    other('partitions of `orders.created`', partitions(components.inventory)),
    other('partitions of each topic of outcomes', partitions(components.notification)),
    other('log, MB/s, all replicas', count(mbPerSecond)),
    other('log, TB/day, all replicas', count((mbPerSecond * 86_400) / 1e6)),
    other('rows of the reservation per day, billions', count((3 * ordersPerSecond * 86_400) / 1e9))
  ]
}

interface Limit {
  readonly what: string
  readonly ordersPerSecond: number
  readonly withNewest: number
  readonly how: 'measured' | 'computed' | 'assumed'
  readonly helps: string
}

/**
 * Returns all bottlenecks, sorted by rate.
 * @param meanBatch mean batch size of the plan in the model
 */
export function limitsOf(meanBatch: (pick: Pick) => number): Limit[] {
  const limit = (what: string, of: (pick: Pick) => number, helps: string, how: Limit['how'] = 'computed'): Limit => ({
    ...{ what, ordersPerSecond: of(planned), withNewest: of(newest), how, helps }
  })
  const core = (figures: readonly Figure[]) => (pick: Pick) => 1e6 / usOf(figures, pick)
  const database = (figures: readonly Figure[]) => (pick: Pick) => databaseOrdersPerSecond(figures, pick)
  const more = 'more instances; each accepts any request'
  const upToPartitions = 'more instances, up to the number of partitions'
  return [
    limit('an order service, an `Idempotency-Key` on each order', core(components.orderWithIdempotency), more),
    limit('an order service, with API keys', core(components.order), more),
    limit('an inventory', pick => inventoryLimit(pick, machines.roundTripMs), upToPartitions),
    limit(
      `an inventory ${machines.regionMs} ms away from its database and brokers`,
      pick => inventoryLimit(pick, machines.regionMs),
      'a home region for each user: key, topic and stock there',
      'assumed'
    ),
    limit('a notification', core(components.notification), upToPartitions),
    limit('an aggregator', core(components.aggregator), upToPartitions),
    limit('a database with the deliveries', database(components.deliveryStore), 'shards by user'),
    limit('a hot SKU, with any number of instances', hotLimit, 'escrow: its stock split over several rows'),
    limit(
      'a database with status and keys, an `Idempotency-Key` on each order',
      database(components.statusWithIdempotency),
      'shards by user or order'
    ),
    limit(
      `${machines.replicas} brokers of ${machines.cores} cores`,
      pick => (machines.cores * 1e6) / usOf(components.broker, pick),
      'more brokers'
    ),
    limit(
      `coordinators on ${machines.replicas} brokers, ${machines.cores} cores each`,
      pick => ((machines.replicas * machines.cores * 1e3) / pick(transactionMs)) * meanBatch(pick),
      'more brokers, `__transaction_state` distributed over all'
    ),
    limit(
      'a database with the reservation',
      database(components.reservation),
      'shards by warehouse or SKU',
      coreUs.reservation.how === 'assumed' ? 'assumed' : 'computed'
    ),
    limit('a database with status and API keys', database(components.status), 'shards by user or order'),
    limit(
      "the aggregators' row of the current minute",
      pick => (maxBatch * 1e3) / stepsWith(pick, machines.roundTripMs).decideBatchMs,
      'one row per minute and partition',
      'assumed'
    ),
    limit(
      `the disks of ${machines.replicas} brokers, ${machines.diskMBPerSecond} MB/s each`,
      () => (machines.diskMBPerSecond * 1e6) / (logBytes.order + logBytes.outcome),
      'more brokers',
      'assumed'
    )
  ].toSorted((one, other) => one.ordersPerSecond - other.ordersPerSecond)
}

/**
 * Returns the maximum rate of an inventory with full batches, which decides one batch while the
 * previous one commits.
 */
export function inventoryLimit(pick: Pick, roundTripMs: number): number {
  const costs = stepsWith(pick, roundTripMs)
  const decideMs = costs.decideBatchMs + maxBatch * (costs.decideOrderMs + costs.processOrderMs)
  const commitMs = costs.commitBatchMs + maxBatch * costs.commitOrderMs
  return (maxBatch * 1e3) / Math.max(decideMs, commitMs)
}

/** Returns the maximum rate with one hot SKU, whose row lock serializes the decisions. */
function hotLimit(pick: Pick): number {
  const { decideBatchMs, decideOrderMs } = stepsWith(pick, machines.roundTripMs)
  return (maxBatch * 1e3) / (decideBatchMs + maxBatch * decideOrderMs)
}

function count(value: number): string {
  return (value < 10 && !Number.isInteger(value) ? Number(value.toFixed(1)) : Math.round(value)).toLocaleString('en')
}
