import { availableParallelism } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { checkOutcomes, type OutcomeCheck } from '../../check-outcomes.ts'
import { costOf, familySecondsOf } from '../../measure/cpu-time.ts'
import { residentMBOf } from '../../measure/memory.ts'
import { lineThrough } from '../../measure/statistics.ts'
import type { PartContext } from '../../part.ts'
import { figure, markdownTable, type Target } from '../../report/part-report.ts'
import { short } from '../../report/plot.ts'
import { fillOrders, sizeOfTransactions, untilDone, withInventories, workOf } from './inventories.ts'

export interface InstancesRun {
  readonly instances: number
  readonly partitions: number
  readonly perSecond: number
  /** Processor time for an order: of all inventories together; below that of Postgres and of the broker. */
  readonly cpuUs: number
  /** Time on the wall in which V8 collected garbage. */
  readonly collectingUs: number
  readonly postgresUs: number
  readonly brokerUs: number
  readonly inTransaction: number
  /** What one of them uses when there is nothing to do, for each second. */
  readonly idleMsPerSecond: number
  readonly machineMs: number
  readonly memoryMB: number
  readonly check: OutcomeCheck
}

/** Orders are written while the instances work. */
export function runInstances(context: PartContext, instances: number, partitions: number): Promise<InstancesRun> {
  const { servers, arguments: given } = context
  const orders = given.quick ? 5_000 : 50_000
  const idleMs = given.quick ? 1_000 : 2_000
  const warmUp = instances * (given.quick ? 3_000 : 40_000)
  const newSinceMs = Date.now()
  return withInventories(context, { count: instances, partitions }, async ({ env, probe, services }) => {
    // Each has to compile its own code.
    await Promise.all([fillOrders(context, warmUp), untilDone(probe, warmUp)])
    const clocks = {
      ...Object.fromEntries(services.map(({ child }, index) => [`inventory ${index}`, child.pid])),
      postgres: () => familySecondsOf(servers.postgresPID),
      broker: servers.brokerPID
    }
    const before = await workOf(services)
    const startedMs = performance.now()
    const { result: machineMs, cpuSeconds } = await costOf(clocks, async () => {
      const [, machineMs] = await Promise.all([fillOrders(context, orders, warmUp), untilDone(probe, warmUp + orders)])
      return machineMs
    })
    const seconds = (performance.now() - startedMs) / 1_000
    const after = await workOf(services)
    const idle = await costOf(clocks, () => delay(idleMs))
    const memory = await Promise.all(services.map(({ child }) => residentMBOf(child.pid)))
    const perOrder = (name: string) => ((cpuSeconds[name] ?? Number.NaN) / orders) * 1e6
    return {
      instances,
      partitions,
      perSecond: orders / seconds,
      cpuUs: (ofInventories(cpuSeconds) / orders) * 1e6,
      postgresUs: perOrder('postgres'),
      brokerUs: perOrder('broker'),
      collectingUs: ((after.collectingSeconds - before.collectingSeconds) / orders) * 1e6,
      inTransaction: sizeOfTransactions(before, after),
      idleMsPerSecond: (ofInventories(idle.cpuSeconds) / instances / idleMs) * 1e6,
      machineMs,
      memoryMB: Math.max(...memory.map(value => value ?? Number.NaN)),
      check: await checkOutcomes(servers, env.DATABASE_URL as string, newSinceMs)
    }
  })
}

function ofInventories(cpuSeconds: Readonly<Record<string, number>>): number {
  const own = Object.entries(cpuSeconds).filter(([name]) => name.startsWith('inventory'))
  return own.length === 0 ? Number.NaN : own.reduce((sum, [, seconds]) => sum + seconds, 0)
}

export function describeInstances(runs: readonly InstancesRun[], quick: boolean): string {
  const rows = runs.map(run => [
    `${run.instances} × inventory, ${run.partitions} partitions`,
    short(run.perSecond),
    ...[run.cpuUs, run.collectingUs, run.inTransaction, run.postgresUs, run.brokerUs, run.machineMs, run.memoryMB].map(
      figure
    ),
    run.check.violations.length === 0
      ? `yes, ${figure(run.check.orders)} orders`
      : `**no**: ${run.check.violations.join('; ')}`,
    `${run.check.fullestPartition.toFixed(2)} ×`
  ])
  const columns = [
    'orders/s',
    'CPU µs',
    'collecting µs',
    'orders in a transaction',
    'Postgres µs',
    'broker µs',
    'machine ms',
    'MB each'
  ]
  return (
    `${quick ? '5,000' : '50,000'} orders, written while the instances work, after others that have warmed each of them up. *CPU*: of all inventories together, ` +
    'for an order. *Collecting*: time on the wall in which V8 collected garbage. *Machine*: processor time of a fixed piece of JavaScript meanwhile, which tells its speed. *Exactly once*: what the checker of `npm run verify` ' +
    'says of all records and rows (guarantees 2 to 5, 7 and 8). *Keying*: the fullest partition compared to the mean; it also checks ' +
    `that every user has one partition and keeps the sequence. All share ${availableParallelism()} cores with Kafka, Postgres and who writes the orders, so CPU is what scales here.\n\n` +
    markdownTable(['', ...columns, 'exactly once', 'keying'], rows)
  )
}

/** The last setting against the first. */
export function instancesTarget(runs: readonly InstancesRun[]): Target {
  const [first, last] = [runs[0], runs.at(-1)] as [InstancesRun, InstancesRun]
  return {
    what: `CPU of an order, ${last.instances} instances and ${last.partitions} partitions against ${first.instances} and ${first.partitions}`,
    wanted: 1.1,
    direction: 'at most',
    measured: last.cpuUs / first.cpuUs,
    unit: 'times',
    why: whyInstances(runs)
  }
}

function whyInstances(runs: readonly InstancesRun[]): string {
  const [first, last] = [runs[0], runs.at(-1)] as [InstancesRun, InstancesRun]
  const idleUs = ({ instances, idleMsPerSecond, perSecond }: InstancesRun) =>
    (instances * idleMsPerSecond * 1e3) / perSecond
  return (
    `${figure(last.cpuUs)} µs after ${figure(first.cpuUs)} (V8 collected garbage for ${figure(last.collectingUs)} µs on the wall after ${figure(first.collectingUs)}), ` +
    `while the fixed piece of work took ${figure(last.machineMs)} ms after ${figure(first.machineMs)}. The same load on the same ${availableParallelism()} cores is shared by ` +
    `${last.instances}, so that a transaction has ${figure(last.inTransaction)} orders after ${figure(first.inTransaction)}.${whySmaller(runs)} ` +
    `Even with nothing to do an instance uses ${figure(last.idleMsPerSecond)} ms a second, which is ${figure(idleUs(last))} µs an order at this rate for all ${last.instances}, ` +
    `after ${figure(idleUs(first))} for ${first.instances}.`
  )
}

/** Nothing where the settings do not lie along such a line. */
function whySmaller(runs: readonly InstancesRun[]): string {
  const [first, last] = [runs[0], runs.at(-1)] as [InstancesRun, InstancesRun]
  const { slope, at0 } = lineThrough(runs.map(({ inTransaction, cpuUs }) => [1 / inTransaction, cpuUs]))
  if (runs.length < 3 || slope <= 0 || at0 <= 0) return ''
  const bySize = slope * (1 / last.inTransaction - 1 / first.inTransaction)
  return (
    ` Along a straight line through all settings a transaction costs ${figure(slope)} µs whatever is in it and ${figure(at0)} µs for each order in it: ` +
    `that is ${figure(bySize)} of the ${figure(last.cpuUs - first.cpuUs)} µs.`
  )
}
