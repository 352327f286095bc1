import { setTimeout as delay } from 'node:timers/promises'
import { connectTopics, createSchemaRegistry } from '@orderly/contracts'
import { readMetrics } from '../../measure/service-metrics.ts'
import { median } from '../../measure/statistics.ts'
import { fillTopic } from '../../orders/fill-topic.ts'
import { createLagProbe, type LagProbe, pipelineEnvironment, resetTopics } from '../../pipeline.ts'
import type { ScenarioContext } from '../../scenario.ts'
import { type RunningService, startService } from '../../services.ts'
import { measureMachine } from './machine.ts'

/** Running inventories on new topics and a new database. */
export interface Inventories {
  readonly env: NodeJS.ProcessEnv
  readonly probe: LagProbe
  /** All started inventories; `startOne` adds to them, and all are stopped together. */
  readonly services: [RunningService, ...RunningService[]]
  startOne(): Promise<void>
}

export interface InventoriesOptions {
  readonly count?: number
  readonly partitions?: number
  /** Number of orders that are written before the inventories start. */
  readonly waiting?: number
  readonly nodeArguments?: readonly string[]
}

export async function withInventories<Result>(
  context: ScenarioContext,
  { count = 1, partitions = 4, waiting = 0, nodeArguments = [] }: InventoriesOptions,
  work: (inventories: Inventories) => Promise<Result>
): Promise<Result> {
  const { servers } = context
  await resetTopics(servers, partitions)
  await fillOrders(context, waiting)
  const env = await pipelineEnvironment(servers)
  const start = (index: number) => {
    const name = `scale-${index + 1}`
    const environment = { ...env, INSTANCE_ID: name }
    return startService(servers, {
      service: 'inventory',
      label: `inventory-${name}`,
      env: environment,
      nodeArguments
    })
  }
  const services = await Promise.all(Array.from({ length: count }, (_, index) => start(index)))
  const probe = createLagProbe(servers)
  try {
    return await work({
      env,
      probe,
      services: services as Inventories['services'],
      startOne: async () => void services.push(await start(services.length))
    })
  } finally {
    await probe.close()
    await Promise.all(services.map(service => service.stop()))
    await servers.dropDatabase(env.DATABASE_URL)
  }
}

export async function fillOrders({ servers }: ScenarioContext, records: number, firstIndex = 0): Promise<void> {
  const registry = createSchemaRegistry({ url: servers.registryURL })
  const { ordersCreated } = await connectTopics(registry, { ordersCreated: 1 })
  await fillTopic(servers.connection, { topic: ordersCreated, records, firstIndex })
}

const lookEveryMs = 100
/**
 * Interval of speed measurements: rare enough not to disturb, and equal for all, since a busy CPU
 * is slower.
 */
const machineEveryMs = 500

/**
 * Waits until the given number of orders is decided.
 * @returns median CPU time in ms of the fixed piece of work during that time
 */
export async function untilDone(
  probe: LagProbe,
  orders: number,
  look: (done: number) => Promise<void> | void = () => {}
): Promise<number> {
  const machineMs = [measureMachine()]
  let atMs = performance.now()
  for (;;) {
    const { done } = await probe.progress()
    await look(done)
    if (done >= orders) return median(machineMs)
    await delay(lookEveryMs)
    if (performance.now() - atMs < machineEveryMs) continue
    machineMs.push(measureMachine())
    atMs = performance.now()
  }
}

export interface Work {
  readonly orders: number
  readonly transactions: number
  readonly collectingSeconds: number
}

const collections = ['minor', 'major', 'incremental', 'weakcb']

/** Returns the work of the services since their start, from their metrics. */
export async function workOf(services: readonly RunningService[]): Promise<Work> {
  const all = await Promise.all(services.map(({ url }) => readMetrics(url)))
  const sum = (name: string, label?: string) => all.reduce((total, read) => total + (read(name, label) || 0), 0)
  return {
    orders: sum('orderly_stage_batch_records_sum'),
    transactions: sum('orderly_stage_batch_records_count'),
    collectingSeconds: collections.reduce(
      (total, kind) => total + sum('nodejs_gc_duration_seconds_sum', `"${kind}"`),
      0
    )
  }
}

export function sizeOfTransactions(before: Work, after: Work): number {
  return (after.orders - before.orders) / (after.transactions - before.transactions)
}
