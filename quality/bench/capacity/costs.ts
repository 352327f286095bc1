import type { Costs } from './model.ts'

// All costs that the plans use. When quality/bench/results has new reports:
//
// 1. Set `newest` to the values of these reports.
// 2. Raise `highest` if it is exceeded. `source` names the commit of the highest value if that is
//    not the newest.
// 3. Run `npm run bench -- capacity`, which writes the tables of docs/explanation/capacity.md.

export interface Figure {
  /** Value in the current reports in quality/bench/results. */
  readonly newest: number
  /** Highest value in all reports of full runs in Git. */
  readonly highest: number
  readonly how: 'measured' | 'derived' | 'assumed'
  readonly source: string
}

/** Selects a value of a figure: plans use the highest and are compared with the newest. */
export type Pick = (figure: Figure) => number
export const planned: Pick = ({ highest }) => highest
export const newest: Pick = ({ newest }) => newest

/**
 * CPU time from load.md. `slow` is the slowest report, which had no aggregator and did not measure
 * Postgres.
 */
const load = {
  newest: { order: 98.2, inventory: 39.1, notification: 50.1, aggregator: 6.51, broker: 66.7, postgres: 176 },
  slow: { order: 215, inventory: 104, notification: 124, broker: 102 }
}
/** Ratio between the slowest and the newest report. */
const slowdown = load.slow.notification / load.newest.notification

const reservation: Figure = {
  newest: 19.5,
  highest: 31.2,
  how: 'measured',
  source: 'inventory.md, our inventory, uniform, Postgres; highest bc89678'
}
const status: Figure = {
  newest: 29.3,
  highest: 36,
  how: 'measured',
  source: 'order.md, API keys and quotas, Postgres; highest f8dabbc'
}

/**
 * Status projection in the newest order.md; part of the other features' costs and of the whole
 * pipeline.
 */
const projection = { service: 109, postgres: 20.6 }
const deliveryStoreUs = load.newest.postgres - reservation.newest - projection.postgres

/** CPU time per order in microseconds. */
export const coreUs = {
  order: {
    ...{ newest: load.newest.order, highest: load.slow.order, how: 'measured' },
    source: 'load.md, order; highest f8dabbc'
  },
  apiKeys: {
    ...{ newest: 115 - projection.service, highest: 152 - 130, how: 'measured' },
    source: 'order.md, API keys and quotas less status projection; highest 958859f'
  },
  idempotencyKey: {
    ...{ newest: 306 - projection.service, highest: 358 - 135, how: 'measured' },
    source: 'order.md, `Idempotency-Key` less status projection; highest f8dabbc'
  },
  inventory: {
    ...{ newest: load.newest.inventory, highest: load.slow.inventory, how: 'measured' },
    source: 'load.md, inventory; highest f8dabbc'
  },
  notification: {
    ...{ newest: load.newest.notification, highest: load.slow.notification, how: 'measured' },
    source: 'load.md, notification; highest f8dabbc'
  },
  aggregator: {
    ...{ newest: load.newest.aggregator, highest: load.newest.aggregator * slowdown, how: 'measured' },
    source: 'load.md, aggregator; highest: scaled by the slowdown of the notification service in f8dabbc'
  },
  broker: {
    ...{ newest: load.newest.broker, highest: load.slow.broker + 8.2, how: 'measured' },
    source:
      'load.md, broker: all topics and readers, one replica; highest f8dabbc, plus 8.2 for the missing aggregator (inventory.md, broker; bc89678)'
  },
  reservation,
  status,
  idempotencyInPostgres: {
    ...{ newest: 123 - projection.postgres, highest: 169 - 26.6, how: 'measured' },
    source: 'order.md, `Idempotency-Key` less status projection, Postgres; highest f8dabbc'
  },
  deliveryStore: {
    newest: deliveryStoreUs,
    highest: deliveryStoreUs * slowdown,
    how: 'derived',
    source:
      'load.md, Postgres, less the reservation and the status (order.md, status projection); includes the few rows of the aggregator; highest: scaled by the slowdown of the notification service in f8dabbc'
  }
} as const satisfies Record<string, Figure>

/** Wall-clock time of the inventory's steps in milliseconds. */
export const steps = {
  decideBatch: {
    ...{ newest: 2.59, highest: 6.19, how: 'measured' },
    source: 'end-to-end.md, 250/s, decide: nearly all of a batch of one to three; highest f8dabbc'
  },
  commitBatch: {
    ...{ newest: 4.19, highest: 11.1, how: 'measured' },
    source: 'end-to-end.md, 250/s, commit; highest f8dabbc'
  },
  decideOrder: {
    ...{ newest: 1e3 / 33_200 - 0.0148, highest: 1e3 / 18_000 - 0.0288, how: 'derived' },
    source: 'inventory.md, uniform: time of an order less its CPU time; highest 958859f'
  },
  commitOrder: {
    ...{ newest: 1e3 / 106_000, highest: 1e3 / 85_500, how: 'derived' },
    source: 'stage.md, at most 2000, exactly once: time of a record, of which the commit is a part; highest 958859f'
  }
} as const satisfies Record<string, Figure>

/**
 * Broker CPU time per transaction in milliseconds: all its CPU time divided by the inventory's
 * batches.
 */
export const transactionMs: Figure = {
  newest: (0.53 / 250) * 1.41 * 1e3,
  highest: (0.56 / 250) * 2.99 * 1e3,
  how: 'derived',
  source: 'end-to-end.md, 250/s: cores of the broker by batches per second, an upper bound; highest 958859f'
}

/**
 * Uncompressed bytes in the log of an order of two lines and of its outcome, with key and headers.
 * `costs.unit.test.ts` compares them with actual records.
 */
export const logBytes = { order: 340, outcome: 340 } as const

/** Measurements to compare the model with. */
export const measured = {
  /** Orders per batch, and p50 of committed less answered in ms, from end-to-end.md at 1000/s. */
  endToEnd: { ordersPerSecond: 1_000, batch: 10.3, outcomeMs: 23.4 - 7.16 },
  /** Orders per second of our inventory, uniform, from inventory.md. */
  fullBatches: 33_200,
  /** Orders per second with a backlog, from scale.md. */
  backlog: 12_400
} as const

/** Assumptions about machines and networks. */
export const machines = {
  cores: 8,
  replicas: 3,
  /** Round trips within a zone and between two regions. */
  roundTripMs: 0.5,
  regionMs: 70,
  diskMBPerSecond: 500
} as const

export function stepsWith(pick: Pick, roundTripMs = 0): Costs {
  return onNetwork(
    {
      decideBatchMs: pick(steps.decideBatch),
      commitBatchMs: pick(steps.commitBatch),
      decideOrderMs: pick(steps.decideOrder),
      processOrderMs: pick(coreUs.inventory) / 1_000,
      commitOrderMs: pick(steps.commitOrder)
    },
    roundTripMs
  )
}

/**
 * Adds the network: two round trips to Postgres, and four sequential ones to Kafka, one of which
 * waits for replicas.
 */
function onNetwork(costs: Costs, roundTripMs: number): Costs {
  return {
    ...costs,
    decideBatchMs: costs.decideBatchMs + 2 * roundTripMs,
    commitBatchMs: costs.commitBatchMs + 4 * roundTripMs
  }
}
