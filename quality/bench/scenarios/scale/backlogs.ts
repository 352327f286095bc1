import { cpuSecondsOf } from '../../measure/cpu-time.ts'
import { type Memory, readMemory, residentMBOf } from '../../measure/memory.ts'
import { median } from '../../measure/statistics.ts'
import { linePlot, short } from '../../report/plot.ts'
import { figure, figureTable, type Target } from '../../report/scenario-report.ts'
import type { ScenarioContext } from '../../scenario.ts'
import { fillOrders, type Inventories, sizeOfTransactions, untilDone, workOf } from './inventories.ts'

export interface Sample {
  readonly atSeconds: number
  readonly done: number
  readonly memoryMB: number
}

/** Measurements of a backlog, which is processed repeatedly until this has taken a few seconds. */
export interface Drained {
  readonly orders: number
  readonly times: number
  readonly perSecond: number
  readonly cpuUs: number
  /** Wall-clock time of V8's garbage collection per order. */
  readonly collectingUs: number
  readonly inTransaction: number
  readonly machineMs: number
  /** Samples of the last repetition. */
  readonly samples: readonly Sample[]
}

export interface Backlogs {
  /** Backlogs from the smallest to the largest. */
  readonly drained: readonly Drained[]
  /** The smallest backlog, repeated after all others. */
  readonly again: Drained
  /** Memory after the largest backlog. */
  readonly memory: Memory
}

/** Returns the powers of ten from 10,000 that are below the largest size, and the largest size. */
export function backlogSizes(largest: number): number[] {
  const sizes: number[] = []
  for (let size = 10_000; size < largest; size *= 10) sizes.push(size)
  return [...sizes, largest]
}

const sampleEveryMs = 500
const tellEverySeconds = 30

/** Measures how one warm inventory processes each backlog. */
export async function drainBacklogs(
  context: ScenarioContext,
  { probe, services: [inventory] }: Inventories
): Promise<Backlogs> {
  const { arguments: given, say } = context
  const warmUp = given.quick ? 20_000 : 200_000
  let written = warmUp
  await Promise.all([fillOrders(context, warmUp), untilDone(probe, warmUp)])

  async function drainOnce(orders: number) {
    inventory.child.signal('SIGSTOP') // frozen until the backlog is written
    await fillOrders(context, orders, written).finally(() => inventory.child.signal('SIGCONT'))
    const first = written
    written += orders
    const { pid } = inventory.child
    const cpuBefore = (await cpuSecondsOf(pid)) ?? Number.NaN
    const startedMs = performance.now()
    // A garbage collection that was in progress when the process froze has ended once it returns
    // its metrics, so that the frozen time does not count as collecting.
    const { collectingSeconds } = await workOf([inventory])
    const samples: Sample[] = []
    let reportedSeconds = 0
    const machineMs = await untilDone(probe, written, async sum => {
      const done = sum - first
      const atSeconds = (performance.now() - startedMs) / 1_000
      if (atSeconds - reportedSeconds > tellEverySeconds) {
        say(`scale: ${short(done)} of ${short(orders)} orders are decided`)
        reportedSeconds = atSeconds
      }
      if (done < orders && atSeconds - (samples.at(-1)?.atSeconds ?? -1) < sampleEveryMs / 1_000) return
      samples.push({ atSeconds, done, memoryMB: (await residentMBOf(pid)) ?? Number.NaN })
    })
    const seconds = (performance.now() - startedMs) / 1_000
    return {
      seconds,
      cpuSeconds: ((await cpuSecondsOf(pid)) ?? Number.NaN) - cpuBefore,
      collectingSeconds: (await workOf([inventory])).collectingSeconds - collectingSeconds,
      machineMs,
      samples
    }
  }

  async function drain(orders: number): Promise<Drained> {
    say(`scale: a backlog of ${short(orders)}`)
    const before = await workOf([inventory])
    const runs = [await drainOnce(orders)]
    const sum = (pick: (run: (typeof runs)[number]) => number) => runs.reduce((total, run) => total + pick(run), 0)
    while (sum(({ seconds }) => seconds) < (given.quick ? 1 : 5)) runs.push(await drainOnce(orders))
    const all = orders * runs.length
    return {
      orders,
      times: runs.length,
      perSecond: all / sum(({ seconds }) => seconds),
      cpuUs: (sum(({ cpuSeconds }) => cpuSeconds) / all) * 1e6,
      collectingUs: (sum(({ collectingSeconds }) => collectingSeconds) / all) * 1e6,
      inTransaction: sizeOfTransactions(before, await workOf([inventory])),
      machineMs: median(runs.map(({ machineMs }) => machineMs)),
      samples: runs.at(-1)?.samples ?? []
    }
  }

  const sizes = backlogSizes(given.backlog)
  const drained: Drained[] = []
  for (const orders of sizes) drained.push(await drain(orders))
  const memory = await readMemory(inventory)
  return { drained, again: await drain(sizes[0] as number), memory }
}

export function mostMemory(samples: readonly { readonly memoryMB: number }[]): number {
  return Math.max(...samples.map(({ memoryMB }) => memoryMB))
}

export function describeBacklogs({ drained, again }: Backlogs): string {
  const cells = ({ times, perSecond, cpuUs, collectingUs, inTransaction, machineMs, samples }: Drained) => [
    String(times),
    short(perSecond),
    ...[cpuUs, collectingUs, inTransaction, machineMs, mostMemory(samples)].map(figure)
  ]
  const rows = drained.map(each => [figure(each.orders), ...cells(each)])
  rows.push([`${figure(again.orders)} again`, ...cells(again)])
  return (
    'One warm inventory is frozen until a backlog is written, then processes it. Small backlogs are repeated ' +
    'until they have taken a few seconds, and the smallest is measured again at the end. *Collecting*: wall-clock time of garbage collection per order. *Machine*: CPU time of a fixed piece of JavaScript, ' +
    'measured every half second; its changes are changes of the machine.\n\n' +
    figureTable(
      ['backlog', 'times', 'orders/s', 'CPU µs', 'collecting µs', 'orders per transaction', 'machine ms', 'peak MB'],
      rows
    )
  )
}

const rangeOf = (values: readonly number[]) => (Math.max(...values) / Math.min(...values) - 1) * 100

export function backlogsTarget({ drained, again }: Backlogs): Target {
  const [smallest, largest] = [drained[0], drained.at(-1)] as [Drained, Drained]
  const costs = drained.map(({ cpuUs }) => cpuUs)
  const atOneSpeed = drained.map(({ cpuUs, machineMs }) => cpuUs / machineMs)
  const machine = drained.map(({ machineMs }) => machineMs)
  const list = (pick: (one: Drained) => number) => drained.map(one => figure(pick(one))).join(', ')
  const why =
    `from the smallest to the largest backlog an order costs ${list(({ cpuUs }) => cpuUs)} µs (garbage collection: ${list(({ collectingUs }) => collectingUs)} µs of wall-clock time), ` +
    `with ${list(({ inTransaction }) => inTransaction)} orders per transaction. The fixed piece of work took ${list(({ machineMs }) => machineMs)} ms in the same time: ` +
    `the range of the machine is ${figure(rangeOf(machine))} %, and that of ours relative to it ${figure(rangeOf(atOneSpeed))} %. ` +
    `The smallest backlog, measured again at the end, costs ${figure(again.cpuUs)} µs (${figure(again.machineMs)} ms): the difference to its first measurement ` +
    `(${figure(again.cpuUs - smallest.cpuUs)} µs) is due to time, the difference to the largest (${figure(again.cpuUs - largest.cpuUs)} µs) to the backlog.`
  return {
    what: `CPU time per order, backlogs from ${short(smallest.orders)} to ${short(largest.orders)}: highest compared to lowest`,
    wanted: 10,
    direction: 'at most',
    measured: rangeOf(costs),
    unit: '% more',
    why
  }
}

/** Plots all backlogs of at least a million orders, or the largest one. */
export function plotBacklogs({ drained }: Backlogs): Record<string, string> {
  const large = drained.filter(({ orders }) => orders >= 1e6)
  const plots = (large.length > 0 ? large : drained.slice(-1)).flatMap(({ orders, samples }) => {
    const size = short(orders)
    const plot = (title: string, y: string, points: readonly (readonly [number, number])[]) =>
      linePlot({ title: `${title}, backlog of ${size}`, x: 'seconds', y, series: [{ name: 'inventory', points }] })
    const memory = samples.map(({ atSeconds, memoryMB }) => [atSeconds, memoryMB] as const)
    return [
      [`rate-${size.toLowerCase()}`, plot('Rate', 'orders decided per second', ratesOf(samples))],
      [`memory-${size.toLowerCase()}`, plot('Memory', 'MB resident', memory)]
    ] as const
  })
  return Object.fromEntries(plots)
}

const stretches = 60

/** Returns mean rates over equal stretches of samples, which evens out batches. */
export function ratesOf(samples: readonly Sample[]): (readonly [atSeconds: number, perSecond: number])[] {
  const every = Math.max(1, Math.floor(samples.length / stretches))
  const ends = samples.filter((_, index) => index % every === 0)
  return ends.slice(1).map((to, index) => {
    const from = ends[index] as Sample
    return [to.atSeconds, (to.done - from.done) / (to.atSeconds - from.atSeconds)]
  })
}
