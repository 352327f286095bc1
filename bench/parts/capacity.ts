import { coreUsOfAnOrder, localCosts, onNetwork } from '../capacity/costs.ts'
import { type Outcome, type Plan, simulate } from '../capacity/model.ts'
import { figure, markdownTable, type PartReport } from '../report/part-report.ts'
import { short } from '../report/plot.ts'

/** The plans of docs/capacity.md, run through the model. Needs no servers. */
const roundTripMs = 0.5
/** Eight cores, of which Postgres may use three quarters for orders. */
const shardOrdersPerSecond = Math.round((8 * 0.75 * 1e6) / coreUsOfAnOrder.postgres)
const durationMs = 4_000
const maxBatch = 2_000

export function benchCapacity(): PartReport {
  const costs = onNetwork(localCosts, roundTripMs)
  const rows: string[][] = []
  const show = (what: string, plan: Omit<Plan, 'shardOrdersPerSecond' | 'maxBatch'>) => {
    rows.push(describe(what, plan, simulate({ ...plan, shardOrdersPerSecond, maxBatch }, costs, durationMs)))
  }
  for (const [ordersPerSecond, steps] of [
    [100_000, [3, 4, 6, 8]],
    [1_000_000, [30, 60, 80]]
  ] as const) {
    const shards = Math.ceil((ordersPerSecond * 1.4) / shardOrdersPerSecond)
    for (const instances of steps) show('no hot SKU', { ordersPerSecond, instances, shards, hotSplits: 0 })
    const instances = steps.at(-1) as number
    if (shards > 1) {
      show('half of the databases', { ordersPerSecond, instances, shards: Math.floor(shards / 2), hotSplits: 0 })
    }
    for (const hotSplits of [1, 4, instances]) {
      show(`a SKU in every batch, its stock in ${hotSplits}`, { ordersPerSecond, instances, shards, hotSplits })
    }
  }
  const markdown = [
    `Every round trip takes ${roundTripMs} ms, a Postgres of 8 cores decides ${short(shardOrdersPerSecond)} orders/s, batches hold ${maxBatch} at most. ` +
      'Latency is from the order in its topic to the committed outcome.',
    markdownTable(
      [
        '',
        'orders/s',
        'inventories',
        'databases',
        'kept up with',
        'batch',
        'p50 ms',
        'core of each inventory',
        'databases busy'
      ],
      rows
    )
  ].join('\n\n')
  return { title: 'Capacity: plans in the model', markdown }
}

function describe(
  what: string,
  { ordersPerSecond, instances, shards }: Pick<Plan, 'ordersPerSecond' | 'instances' | 'shards'>,
  outcome: Outcome
) {
  const percent = (share: number) => `${Math.round(share * 100)} %`
  const isKept = outcome.keptUp > 0.99
  return [
    what,
    short(ordersPerSecond),
    String(instances),
    String(shards),
    isKept ? 'yes' : `**${percent(outcome.keptUp)}**`,
    figure(outcome.meanBatch),
    isKept ? figure(outcome.p50Ms) : 'grows',
    percent((ordersPerSecond / instances) * (coreUsOfAnOrder.inventory / 1e6)),
    percent(outcome.busyShards)
  ]
}
