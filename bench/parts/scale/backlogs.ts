import { cpuSecondsOf } from '../../measure/cpu-time.ts'
import { type Memory, readMemory, residentMBOf } from '../../measure/memory.ts'
import { median } from '../../measure/statistics.ts'
import type { PartContext } from '../../part.ts'
import { figure, markdownTable, type Target } from '../../report/part-report.ts'
import { linePlot, short } from '../../report/plot.ts'
import { fillOrders, type Inventories, sizeOfTransactions, untilDone, workOf } from './inventories.ts'

export interface Sample {
  readonly atSeconds: number
  readonly done: number
  readonly memoryMB: number
}

/** How a backlog was worked off, so often that it took a few seconds altogether. */
export interface Drained {
  readonly orders: number
  readonly times: number
  readonly perSecond: number
  readonly cpuUs: number
  /** Time on the wall in which V8 collected garbage. */
  readonly collectingUs: number
  readonly inTransaction: number
  readonly machineMs: number
  /** Of the last time. */
  readonly samples: readonly Sample[]
}

export interface Backlogs {
  /** From the smallest to the largest. */
  readonly drained: readonly Drained[]
  /** The smallest once more, after all others. */
  readonly again: Drained
  /** When the largest was done. */
  readonly memory: Memory
}

/** Powers of ten from 10,000 on, and the largest whatever it is. */
export function backlogSizes(largest: number): number[] {
  const sizes: number[] = []
  for (let size = 10_000; size < largest; size *= 10) sizes.push(size)
  return [...sizes, largest]
}

const sampleEveryMs = 500
const tellEverySeconds = 30

/** One inventory, which is warm, works off one backlog after the other. */
export async function drainBacklogs(
  context: PartContext,
  { probe, services: [inventory] }: Inventories
): Promise<Backlogs> {
  const { arguments: given, say } = context
  const warmUp = given.quick ? 20_000 : 200_000
  let written = warmUp
  await Promise.all([fillOrders(context, warmUp), untilDone(probe, warmUp)])

  async function drainOnce(orders: number) {
    inventory.child.signal('SIGSTOP') // until all of them wait
    await fillOrders(context, orders, written).finally(() => inventory.child.signal('SIGCONT'))
    const first = written
    written += orders
    const { pid } = inventory.child
    const cpuBefore = (await cpuSecondsOf(pid)) ?? Number.NaN
    const startedMs = performance.now()
    // A collection that was under way is over then, and what it was held with it.
    const { collectingSeconds } = await workOf([inventory])
    const samples: Sample[] = []
    let toldSeconds = 0
    const machineMs = await untilDone(probe, written, async sum => {
      const done = sum - first
      const atSeconds = (performance.now() - startedMs) / 1_000
      if (atSeconds - toldSeconds > tellEverySeconds) {
        say(`scale: ${short(done)} of ${short(orders)} are done`)
        toldSeconds = atSeconds
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
  rows.push([`${figure(again.orders)} once more`, ...cells(again)])
  return (
    'One inventory, which is warm, is held until all orders of a backlog are written, then works it off; one backlog after the other, small ones ' +
    'until they have taken a few seconds altogether, and the smallest once more at the end. *Collecting*: time on the wall in which V8 collected garbage. *Machine*: processor time of a fixed piece of JavaScript meanwhile, ' +
    'every half second, the same for all: by what it changes the machine has changed.\n\n' +
    markdownTable(
      ['waiting', 'times', 'orders/s', 'CPU µs', 'collecting µs', 'orders in a transaction', 'machine ms', 'most MB'],
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
    `from the smallest to the largest an order costs ${list(({ cpuUs }) => cpuUs)} µs (V8 collected garbage for ${list(({ collectingUs }) => collectingUs)} µs on the wall), ` +
    `with ${list(({ inTransaction }) => inTransaction)} orders in a transaction. The fixed piece of work took ${list(({ machineMs }) => machineMs)} ms meanwhile: ` +
    `the machine's own range is ${figure(rangeOf(machine))} %, and with its speed taken out ours is ${figure(rangeOf(atOneSpeed))} %. ` +
    `The smallest once more, after all others, costs ${figure(again.cpuUs)} µs (${figure(again.machineMs)} ms): what it differs by from its first time ` +
    `(${figure(again.cpuUs - smallest.cpuUs)} µs) comes with time, and by from the largest (${figure(again.cpuUs - largest.cpuUs)} µs) with how much waits.`
  return {
    what: `CPU of an order, backlogs from ${short(smallest.orders)} to ${short(largest.orders)}: the dearest against the cheapest`,
    wanted: 10,
    direction: 'at most',
    measured: rangeOf(costs),
    unit: '% more',
    why
  }
}

/** Of those of a million and more; of the largest if there is none. */
export function plotBacklogs({ drained }: Backlogs): Record<string, string> {
  const large = drained.filter(({ orders }) => orders >= 1e6)
  const plots = (large.length > 0 ? large : drained.slice(-1)).flatMap(({ orders, samples }) => {
    const size = short(orders)
    const plot = (title: string, y: string, points: readonly (readonly [number, number])[]) =>
      linePlot({ title: `${title}, ${size} waiting`, x: 'seconds', y, series: [{ name: 'inventory', points }] })
    const memory = samples.map(({ atSeconds, memoryMB }) => [atSeconds, memoryMB] as const)
    return [
      [`rate-${size.toLowerCase()}`, plot('Rate', 'orders decided a second', ratesOf(samples))],
      [`memory-${size.toLowerCase()}`, plot('Memory', 'MB resident', memory)]
    ] as const
  })
  return Object.fromEntries(plots)
}

const stretches = 60

/** In stretches of the same length, as batches come and go. */
export function ratesOf(samples: readonly Sample[]): (readonly [atSeconds: number, perSecond: number])[] {
  const every = Math.max(1, Math.floor(samples.length / stretches))
  const ends = samples.filter((_, index) => index % every === 0)
  return ends.slice(1).map((to, index) => {
    const from = ends[index] as Sample
    return [to.atSeconds, (to.done - from.done) / (to.atSeconds - from.atSeconds)]
  })
}
