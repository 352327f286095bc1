import { short } from '../report/plot.ts'
import { figure, figureTable } from '../report/scenario-report.ts'
import {
  coreUs,
  type Figure,
  machines,
  measured,
  newest,
  type Pick,
  planned,
  steps,
  stepsWith,
  transactionMs
} from './costs.ts'
import { type Outcome, type Plan, simulate } from './model.ts'
import {
  components,
  databaseOrdersPerSecond,
  databasesOf,
  instancesOf,
  inventoryLimit,
  limitsOf,
  maxBatch,
  needsOf,
  usOf
} from './plan.ts'

const rates = [100_000, 1_000_000] as const
const durationMs = 4_000

/** Returns all tables of docs/explanation/capacity.md by the names of their markers. */
export function capacityTables(): Readonly<Record<string, string>> {
  return { costs: costsTable(), needs: needsTable(), model: modelTable(), check: checkTable(), limits: limitsTable() }
}

function costsTable(): string {
  const us: readonly (readonly [string, Figure])[] = [
    ['order service, with the status of orders', coreUs.order],
    ['more for API keys', coreUs.apiKeys],
    ['more for an `Idempotency-Key`', coreUs.idempotencyKey],
    ['inventory', coreUs.inventory],
    ['notification', coreUs.notification],
    ['aggregator', coreUs.aggregator],
    ['broker, the whole pipeline', coreUs.broker],
    ['Postgres, reservation', coreUs.reservation],
    ['Postgres, status and API keys', coreUs.status],
    ['Postgres, more for an `Idempotency-Key`', coreUs.idempotencyInPostgres],
    ['Postgres, deliveries of notifications', coreUs.deliveryStore]
  ]
  const ms: readonly (readonly [string, Figure])[] = [
    ['deciding a batch, ms', steps.decideBatch],
    ['deciding each of its orders, ms', steps.decideOrder],
    ['committing a batch, ms', steps.commitBatch],
    ['committing each of its orders, ms', steps.commitOrder],
    ['a transaction, ms of broker CPU time', transactionMs]
  ]
  const row = ([what, { newest, highest, how, source }]: readonly [string, Figure]) => [
    ...[what, precise(newest), precise(highest), how, source]
  ]
  return figureTable(
    ['CPU time, µs per order unless stated in ms', 'newest report', 'highest: used for plans', '', 'source'],
    [...us, ...ms].map(row)
  )
}

function needsTable(): string {
  const columns = rates.flatMap(rate => [needsOf(rate, planned), needsOf(rate, newest)])
  const rows = (columns[0] ?? []).map(({ what }, index) => [
    what,
    ...columns.flatMap((needs, column) => {
      const need = needs[index]
      const needed = need?.needed ?? ''
      return column % 2 === 1 ? [needed] : [need?.cores === undefined ? '' : figure(need.cores), `**${needed}**`]
    })
  ])
  const header = rates.flatMap(rate => [`${short(rate)}/s: cores`, 'planned', 'by the newest report'])
  return figureTable(['', ...header], rows)
}

function modelTable(): string {
  const costs = stepsWith(planned, machines.roundTripMs)
  const shardOrdersPerSecond = databaseOrdersPerSecond(components.reservation, planned)
  const rows: string[][] = []
  const show = (what: string, plan: Omit<Plan, 'shardOrdersPerSecond' | 'maxBatch'>) => {
    rows.push(describe(what, plan, simulate({ ...plan, shardOrdersPerSecond, maxBatch }, costs, durationMs)))
  }
  for (const ordersPerSecond of rates) {
    const instances = instancesOf(components.inventory, ordersPerSecond, planned)
    const shards = databasesOf(components.reservation, ordersPerSecond, planned)
    const plan = { ordersPerSecond, instances, shards, hotSplits: 0 }
    show('half of the instances', { ...plan, instances: Math.ceil(instances / 2) })
    show('**as planned**', plan)
    if (shards > 1) show('half of the databases', { ...plan, shards: Math.floor(shards / 2) })
    for (const hotSplits of [1, 4, instances]) {
      show(`one SKU in every batch, its stock in ${hotSplits} ${hotSplits === 1 ? 'row' : 'rows'}`, {
        ...plan,
        hotSplits
      })
    }
  }
  const header = ['', 'orders/s', 'inventories', 'databases', 'sustained', 'batch', 'p50 ms']
  return figureTable([...header, 'core of each inventory', 'busy databases'], rows)
}

function describe(
  what: string,
  { ordersPerSecond, instances, shards }: { ordersPerSecond: number; instances: number; shards: number },
  outcome: Outcome
): string[] {
  const percent = (share: number) => `${Math.round(share * 100)} %`
  const isKept = outcome.keptUp > 0.99
  const busy = ((ordersPerSecond * outcome.keptUp) / instances) * (usOf(components.inventory, planned) / 1e6)
  return [
    ...[what, short(ordersPerSecond), String(instances), String(shards)],
    ...[isKept ? 'yes' : `**${percent(outcome.keptUp)}**`, figure(outcome.meanBatch)],
    ...[isKept ? figure(outcome.p50Ms) : 'grows', percent(busy), percent(outcome.busyShards)]
  ]
}

/** Compares the model, without a network, with the reports about one inventory. */
function checkTable(): string {
  const { endToEnd, fullBatches, backlog } = measured
  const models = [newest, planned].map(pick => {
    const plan = { instances: 1, shards: 1, shardOrdersPerSecond: 1e9, maxBatch, hotSplits: 0 }
    const { meanBatch, p50Ms } = simulate(
      { ...plan, ordersPerSecond: endToEnd.ordersPerSecond },
      stepsWith(pick),
      durationMs
    )
    return { meanBatch, p50Ms, most: inventoryLimit(pick, 0) }
  })
  const row = (what: string, was: string, of: (model: (typeof models)[number]) => string) => [
    what,
    was,
    ...models.map(of)
  ]
  const at = `at ${short(endToEnd.ordersPerSecond)} orders/s`
  return figureTable(
    ['one inventory', 'newest report', 'model, newest costs', 'model, planned costs'],
    [
      row(`${at}: orders per batch (end-to-end.md)`, figure(endToEnd.batch), ({ meanBatch }) => figure(meanBatch)),
      row(`${at}: p50 ms from answer to outcome (end-to-end.md)`, figure(endToEnd.outcomeMs), ({ p50Ms }) =>
        figure(p50Ms)
      ),
      row('maximum orders/s, backlog of 30,000 (inventory.md)', short(fullBatches), ({ most }) => short(most)),
      row('maximum orders/s, backlog of 10 million (scale.md)', short(backlog), ({ most }) => short(most))
    ]
  )
}

function limitsTable(): string {
  const rows = limitsOf(meanBatch).map(({ what, ordersPerSecond, withNewest, how, helps }, index) => [
    ...[`${index + 1}. ${what}`, short(ordersPerSecond), short(withNewest), how, helps]
  ])
  return figureTable(['', 'orders/s', 'by the newest report', '', 'mitigation'], rows)
}

/** Returns the mean batch size of the plan for the lower rate. */
function meanBatch(pick: Pick): number {
  const [ordersPerSecond] = rates
  const plan = {
    ...{ ordersPerSecond, maxBatch, hotSplits: 0, instances: instancesOf(components.inventory, ordersPerSecond, pick) },
    shards: databasesOf(components.reservation, ordersPerSecond, pick),
    shardOrdersPerSecond: databaseOrdersPerSecond(components.reservation, pick)
  }
  return simulate(plan, stepsWith(pick, machines.roundTripMs), durationMs).meanBatch
}

function precise(value: number): string {
  return value !== 0 && value < 0.1 ? value.toFixed(4) : figure(value)
}
