import type { Costs } from './model.ts'

/**
 * All that the plans reckon with, and nothing that they reckon with stands elsewhere. `newest` is what the reports in bench/results say now, `highest`
 * the highest of the reports of whole rounds that Git has; where it is not the newest, the commit stands in `source`. When there are new
 * reports: set `newest`, raise `highest` if it is exceeded, and run `npm run bench -- capacity`, which writes the tables of docs/capacity.md.
 */
export interface Figure {
  readonly newest: number
  readonly highest: number
  readonly how: 'measured' | 'derived' | 'assumed'
  readonly source: string
}

/** What can be taken from a figure: plans are made with the highest, and compared with the newest. */
export type Pick = (figure: Figure) => number
export const planned: Pick = ({ highest }) => highest
export const newest: Pick = ({ newest }) => newest

/** Of load.md. `slow` is the report that was the slowest; its pipeline had no aggregator, and no clock for Postgres. */
const load = {
  newest: { order: 98.2, inventory: 39.1, notification: 50.1, aggregator: 6.51, broker: 66.7, postgres: 176 },
  slow: { order: 215, inventory: 104, notification: 124, broker: 102 }
}
/** How much more the slow one took. */
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

/** Of order.md, status projection, newest: the features beside it and the whole pipeline have this in common. */
const projection = { service: 109, postgres: 20.6 }
const ledgerUs = load.newest.postgres - reservation.newest - projection.postgres

/** Microseconds of a core for an order. */
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
    source: 'load.md, aggregator; highest: as much more as the notification took in f8dabbc'
  },
  broker: {
    ...{ newest: load.newest.broker, highest: load.slow.broker + 8.2, how: 'measured' },
    source:
      'load.md, broker: all topics and readers, one replica; highest f8dabbc, and 8.2 for the aggregator, which it did not have (inventory.md, broker; bc89678)'
  },
  reservation,
  status,
  idempotencyInPostgres: {
    ...{ newest: 123 - projection.postgres, highest: 169 - 26.6, how: 'measured' },
    source: 'order.md, `Idempotency-Key` less status projection, Postgres; highest f8dabbc'
  },
  ledger: {
    newest: ledgerUs,
    highest: ledgerUs * slowdown,
    how: 'derived',
    source:
      'load.md, Postgres, less the reservation and the status (order.md, status projection); the few rows of the aggregator are in it; highest: as much more as the notification took in f8dabbc'
  }
} as const satisfies Record<string, Figure>

/** Milliseconds of the inventory, on the wall. */
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
    source: 'inventory.md, uniform: time of an order less its processor time; highest 958859f'
  },
  commitOrder: {
    ...{ newest: 1e3 / 106_000, highest: 1e3 / 85_500, how: 'derived' },
    source: 'stage.md, at most 2000, exactly once: time of a record, of which the commit is a part; highest 958859f'
  }
} as const satisfies Record<string, Figure>

/** Milliseconds of a broker's core for a transaction: all that the broker did, by the batches of the inventory. */
export const transactionMs: Figure = {
  newest: (0.53 / 250) * 1.41 * 1e3,
  highest: (0.56 / 250) * 2.99 * 1e3,
  how: 'derived',
  source: 'end-to-end.md, 250/s: cores of the broker by batches a second; so at most this; highest 958859f'
}

/** Bytes in the log: an order of two lines and its outcome, with key and headers, not compressed. `costs.unit.test.ts` makes such records and compares. */
export const logBytes = { order: 340, outcome: 340 } as const

/** What the model is compared with. */
export const measured = {
  /** end-to-end.md, 1000/s: orders in a batch, and p50 ms committed less answered. */
  endToEnd: { ordersPerSecond: 1_000, batch: 10.3, outcomeMs: 23.4 - 7.16 },
  /** inventory.md, our inventory, uniform, orders/s. */
  fullBatches: 33_200,
  /** scale.md, a backlog, orders/s. */
  backlog: 12_400
} as const

/** What machines are assumed to have. */
export const machines = {
  cores: 8,
  replicas: 3,
  /** In a zone, and between two regions. */
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

/** Two round trips to Postgres; four to Kafka one after the other, of which one waits for the replicas. */
function onNetwork(costs: Costs, roundTripMs: number): Costs {
  return {
    ...costs,
    decideBatchMs: costs.decideBatchMs + 2 * roundTripMs,
    commitBatchMs: costs.commitBatchMs + 4 * roundTripMs
  }
}
