import { availableParallelism } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { checkOutcomes, type OutcomeCheck } from '../../check-outcomes.ts'
import { costOf, familySecondsOf } from '../../measure/cpu-time.ts'
import { residentMBOf } from '../../measure/memory.ts'
import { lineThrough } from '../../measure/statistics.ts'
import { short } from '../../report/plot.ts'
import { figure, figureTable, type Target } from '../../report/scenario-report.ts'
import type { ScenarioContext } from '../../scenario.ts'
import { fillOrders, sizeOfTransactions, untilDone, withInventories, workOf } from './inventories.ts'

export interface InstancesRun {
  readonly instances: number
  readonly partitions: number
  readonly perSecond: number
  /** CPU time per order of all inventories together. */
  readonly cpuUs: number
  /** Wall-clock time of V8's garbage collection per order. */
  readonly collectingUs: number
  readonly postgresUs: number
  readonly brokerUs: number
  readonly inTransaction: number
  /** CPU time per second of one idle inventory. */
  readonly idleMsPerSecond: number
  readonly machineMs: number
  readonly memoryMB: number
  readonly check: OutcomeCheck
}

/** Measures inventories that process orders while these are written. */
export function runInstances(context: ScenarioContext, instances: number, partitions: number): Promise<InstancesRun> {
  const { servers, arguments: given } = context
  const orders = given.quick ? 5_000 : 50_000
  const idleMs = given.quick ? 1_000 : 2_000
  const warmUp = instances * (given.quick ? 3_000 : 40_000)
  const newSinceMs = Date.now()
  return withInventories(context, { count: instances, partitions }, async ({ env, probe, services }) => {
    // Warms up every instance, since each process compiles its code.
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
    'orders per transaction',
    'Postgres µs',
    'broker µs',
    'machine ms',
    'MB each'
  ]
  return (
    `${quick ? '5,000' : '50,000'} orders, written while the warm instances process them. *CPU*: CPU time per order of all inventories ` +
    'together. *Collecting*: wall-clock time of garbage collection per order. *Machine*: CPU time of a fixed piece of JavaScript, which measures the speed of the machine. *Exactly once*: the result of the checkers of `npm run verify` ' +
    'for all records and rows (guarantees 2 to 5, 7 and 8); they also check that each user has one partition and that the order of its orders is kept. *Keying*: ratio of the largest partition to the mean. ' +
    `All processes share ${availableParallelism()} cores with Kafka, Postgres and the writer of the orders, so CPU time is the meaningful measure here.\n\n` +
    figureTable(['', ...columns, 'exactly once', 'keying'], rows)
  )
}

/** Returns the target that compares the last setting with the first. */
export function instancesTarget(runs: readonly InstancesRun[]): Target {
  const [first, last] = [runs[0], runs.at(-1)] as [InstancesRun, InstancesRun]
  return {
    what: `CPU time per order, ${last.instances} instances and ${last.partitions} partitions compared to ${first.instances} and ${first.partitions}`,
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
    `${figure(last.cpuUs)} µs instead of ${figure(first.cpuUs)} (garbage collection: ${figure(last.collectingUs)} µs of wall-clock time instead of ${figure(first.collectingUs)}), ` +
    `while the fixed piece of work took ${figure(last.machineMs)} ms instead of ${figure(first.machineMs)}. The same load on the same ${availableParallelism()} cores is divided among ` +
    `${last.instances} instances, so a transaction has ${figure(last.inTransaction)} orders instead of ${figure(first.inTransaction)}.${whySmaller(runs)} ` +
    `An idle instance uses ${figure(last.idleMsPerSecond)} ms per second, which is ${figure(idleUs(last))} µs per order at this rate for all ${last.instances}, ` +
    `instead of ${figure(idleUs(first))} for ${first.instances}.`
  )
}

/**
 * Fits CPU time to a fixed cost per transaction and per order; empty if the settings do not fit
 * such a line.
 */
function whySmaller(runs: readonly InstancesRun[]): string {
  const [first, last] = [runs[0], runs.at(-1)] as [InstancesRun, InstancesRun]
  const { slope, at0 } = lineThrough(runs.map(({ inTransaction, cpuUs }) => [1 / inTransaction, cpuUs]))
  if (runs.length < 3 || slope <= 0 || at0 <= 0) return ''
  const bySize = slope * (1 / last.inTransaction - 1 / first.inTransaction)
  return (
    ` By a linear fit over all settings a transaction costs ${figure(slope)} µs plus ${figure(at0)} µs per order, ` +
    `which explains ${figure(bySize)} of the ${figure(last.cpuUs - first.cpuUs)} µs.`
  )
}
