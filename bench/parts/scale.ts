import { setTimeout as delay } from 'node:timers/promises'
import { connectTopics, createSchemaRegistry } from '@orderly/contracts'
import { checkOutcomes, type OutcomeCheck } from '../check-outcomes.ts'
import { cpuSecondsOf } from '../measure/cpu-time.ts'
import { describeMemory, type Memory, memoryTarget, readMemory, residentMBOf } from '../measure/memory.ts'
import { lineThrough, median } from '../measure/statistics.ts'
import { fillTopic } from '../orders/fill-topic.ts'
import type { Part, PartContext } from '../part.ts'
import { createLagProbe, type LagProbe, pipelineEnvironment, resetTopics } from '../pipeline.ts'
import { profile } from '../profile/profile.ts'
import { figure, markdownTable, type Target } from '../report/part-report.ts'
import { linePlot, short } from '../report/plot.ts'
import { type RunningService, startService } from '../services.ts'

/**
 * The inventory with more instances and more partitions, with a long backlog, and while instances come, go and die. Each message exactly
 * once is judged by the verifier's checker, over all records and all rows.
 */
export const benchScale: Part = async context => {
  const { arguments: given, say } = context
  const orders = given.quick ? 5_000 : 50_000
  const instances = given.quick ? [1, 2] : [1, 2, 4]
  const partitionCounts = given.quick ? [4] : [4, 12]
  const runs: ScaleRun[] = []
  for (const partitions of partitionCounts) {
    for (const count of instances) {
      say(`scale: ${count} × inventory, ${partitions} partitions`)
      runs.push(await scaleOut(context, count, partitions, orders))
    }
  }
  say(`scale: a backlog of ${short(given.backlog)}`)
  const backlog = await drainBacklog(context, given.backlog)
  say('scale: instances come, go and die')
  const pauses = await measurePauses(context, given.quick ? 20_000 : 200_000)
  const markdown = [
    `## Instances and partitions\n\n${figure(orders)} orders, written while the instances work. *Exactly once*: what the checker of \`npm run verify\` ` +
      'says of all records and rows (guarantees 2 to 5, 7 and 8). *Keying*: the fullest partition compared to the mean; it also checks ' +
      'that every user has one partition and keeps the sequence. All share 2 cores with Kafka and Postgres, so CPU is what scales here.',
    describeRuns(runs),
    `## A backlog\n\n${figure(given.backlog)} orders were waiting when one instance started.`,
    describeBacklog(backlog.samples),
    describeMemory({ 'inventory, when it was done': backlog.memory }),
    `## Rebalances\n\nThe longest time in which no partition moved on, while an instance worked through a backlog:`,
    markdownTable(
      ['', 'longest pause ms', 'usual gap ms'],
      pauses.map(({ what, longestMs, usualMs }) => [what, figure(longestMs), figure(usualMs)])
    ),
    await profileOurs(context)
  ].join('\n\n')
  return {
    title: 'Scale: instances, partitions, backlogs, rebalances',
    markdown,
    plots: backlogPlots(backlog.samples),
    targets: targetsOf(backlog)
  }
}

interface ScaleRun {
  readonly instances: number
  readonly partitions: number
  readonly perSecond: number
  readonly cpuUs: number
  readonly memoryMB: number
  readonly check: OutcomeCheck
}

async function scaleOut(context: PartContext, count: number, partitions: number, orders: number): Promise<ScaleRun> {
  const { servers } = context
  await resetTopics(servers, partitions)
  const newSinceMs = Date.now()
  const env = await pipelineEnvironment(servers)
  const services = await startInventories(context, env, count)
  const probe = createLagProbe(servers)
  try {
    const startedMs = performance.now()
    const cpuBefore = await sumOf(services, cpuSecondsOf)
    await Promise.all([fillOrders(context, orders), untilDone(probe, orders)])
    const seconds = (performance.now() - startedMs) / 1_000
    const cpuSeconds = (await sumOf(services, cpuSecondsOf)) - cpuBefore
    const memory = await Promise.all(services.map(({ child }) => residentMBOf(child.pid)))
    return {
      instances: count,
      partitions,
      perSecond: orders / seconds,
      cpuUs: (cpuSeconds / orders) * 1e6,
      memoryMB: Math.max(...memory.map(value => value ?? Number.NaN)),
      check: await checkOutcomes(servers, env.DATABASE_URL, newSinceMs)
    }
  } finally {
    await probe.close()
    await Promise.all(services.map(service => service.stop()))
    await servers.dropDatabase(env.DATABASE_URL)
  }
}

function startInventories(
  { servers }: PartContext,
  env: NodeJS.ProcessEnv,
  count: number,
  { first = 1, nodeArguments = [] }: { first?: number; nodeArguments?: readonly string[] } = {}
): Promise<RunningService[]> {
  const starting = Array.from({ length: count }, (_, index) => {
    const name = `scale-${first + index}`
    return startService(servers, {
      service: 'inventory',
      label: `inventory-${name}`,
      env: { ...env, INSTANCE_ID: name },
      nodeArguments
    })
  })
  return Promise.all(starting)
}

async function sumOf(
  services: readonly RunningService[],
  read: (pid: number) => Promise<number | undefined>
): Promise<number> {
  const values = await Promise.all(services.map(({ child }) => read(child.pid)))
  return values.reduce<number>((sum, value) => sum + (value ?? Number.NaN), 0)
}

async function fillOrders({ servers }: PartContext, records: number, firstIndex = 0): Promise<void> {
  const registry = createSchemaRegistry({ url: servers.registryURL })
  const { ordersCreated } = await connectTopics(registry, { ordersCreated: 1 })
  await fillTopic(servers.connection, { topic: ordersCreated, records, firstIndex })
}

async function untilDone(probe: LagProbe, orders: number): Promise<void> {
  while ((await probe.progress()).done < orders) await delay(50)
}

function describeRuns(runs: readonly ScaleRun[]): string {
  const rows = runs.map(({ instances, partitions, perSecond, cpuUs, memoryMB, check }) => [
    `${instances} × inventory, ${partitions} partitions`,
    short(perSecond),
    figure(cpuUs),
    figure(memoryMB),
    check.violations.length === 0 ? `yes, ${figure(check.orders)} orders` : `**no**: ${check.violations.join('; ')}`,
    `${check.fullestPartition.toFixed(2)} ×`
  ])
  return markdownTable(['', 'orders/s', 'CPU µs', 'MB each', 'exactly once', 'keying'], rows)
}

interface BacklogSample {
  readonly atSeconds: number
  readonly done: number
  readonly cpuSeconds: number
  readonly memoryMB: number
}

const sampleEveryMs = 500
const tellEverySeconds = 30

interface Backlog {
  readonly env: NodeJS.ProcessEnv
  readonly probe: LagProbe
  /** The inventories that work on it, of which the first is there; those that are put to it are stopped with it. */
  readonly inventories: [RunningService, ...RunningService[]]
}

/** Orders are waiting when one inventory starts. */
async function withBacklog<Result>(
  context: PartContext,
  orders: number,
  work: (backlog: Backlog) => Promise<Result>,
  nodeArguments: readonly string[] = []
): Promise<Result> {
  const { servers } = context
  await resetTopics(servers, 4)
  await fillOrders(context, orders)
  const env = await pipelineEnvironment(servers)
  const inventories = (await startInventories(context, env, 1, { nodeArguments })) as Backlog['inventories']
  const probe = createLagProbe(servers)
  try {
    return await work({ env, probe, inventories })
  } finally {
    await probe.close()
    await Promise.all(inventories.map(service => service.stop()))
    await servers.dropDatabase(env.DATABASE_URL)
  }
}

interface Drained {
  readonly samples: readonly BacklogSample[]
  readonly memory: Memory
}

function drainBacklog(context: PartContext, orders: number): Promise<Drained> {
  return withBacklog(context, orders, async ({ probe, inventories: [inventory] }) => {
    const { pid } = inventory.child
    const samples: BacklogSample[] = []
    const startedMs = performance.now()
    let toldSeconds = 0
    for (let done = 0; done < orders; await delay(sampleEveryMs)) {
      done = (await probe.progress()).done
      const atSeconds = (performance.now() - startedMs) / 1_000
      if (atSeconds - toldSeconds > tellEverySeconds) {
        context.say(`scale: ${short(done)} of ${short(orders)} are done`)
        toldSeconds = atSeconds
      }
      samples.push({
        atSeconds,
        done,
        cpuSeconds: (await cpuSecondsOf(pid)) ?? Number.NaN,
        memoryMB: (await residentMBOf(pid)) ?? Number.NaN
      })
    }
    return { samples, memory: await readMemory(inventory) }
  })
}

/** An inventory that works on a backlog, and is stopped in the middle of it. */
function profileOurs(context: PartContext): Promise<string> {
  return profile(context, {
    part: 'scale',
    skipMs: 10_000,
    withMemory: true,
    async run(argumentsFor) {
      const orders = 500_000
      await withBacklog(context, orders, ({ probe }) => untilDone(probe, orders / 2), argumentsFor('inventory'))
    }
  })
}

/** Processor time for an order in each tenth of the backlog, without the first: that is the compiler's. */
function costByTenth(samples: readonly BacklogSample[]): { done: number; us: number }[] {
  const orders = samples.at(-1)?.done ?? 0
  const at = (done: number) => samples.find(sample => sample.done >= done) as BacklogSample
  return Array.from({ length: 9 }, (_, index) => {
    const [from, to] = [at(((index + 1) * orders) / 10), at(((index + 2) * orders) / 10)]
    return { done: to.done, us: ((to.cpuSeconds - from.cpuSeconds) / (to.done - from.done)) * 1e6 }
  }).filter(({ us }) => Number.isFinite(us))
}

/** By how much the last order costs more than the first, along the straight line through the tenths. */
function growthOf(samples: readonly BacklogSample[]): number {
  const costs = costByTenth(samples)
  const { slope, at0 } = lineThrough(costs.map(({ done, us }) => [done, us]))
  return (slope * (samples.at(-1)?.done ?? 0)) / at0
}

function describeBacklog(samples: readonly BacklogSample[]): string {
  const first = samples.find(({ done }) => done > 0)
  const last = samples.at(-1)
  if (first === undefined || last === undefined || last === first) return 'It was done before it could be sampled.'
  const rate = (last.done - first.done) / (last.atSeconds - first.atSeconds)
  const costs = costByTenth(samples).map(({ us }) => us.toFixed(1))
  return (
    `${short(rate)} orders/s; at most ${figure(mostMemory(samples))} MB. Processor time for an order, tenth by tenth from the second on: ` +
    `${costs.join(', ')} µs; along a straight line through them it changes by ${(growthOf(samples) * 100).toFixed(0)} % over the whole backlog.`
  )
}

function mostMemory(samples: readonly BacklogSample[]): number {
  return Math.max(...samples.map(({ memoryMB }) => memoryMB))
}

function backlogPlots(samples: readonly BacklogSample[]): Record<string, string> {
  const points = (pick: (sample: BacklogSample) => number) =>
    samples.map(sample => [sample.atSeconds, pick(sample)] as const)
  return {
    backlog: linePlot({
      title: 'Working off a backlog',
      x: 'seconds',
      y: 'orders decided',
      series: [{ name: 'decided', points: points(({ done }) => done) }]
    }),
    memory: linePlot({
      title: 'Memory meanwhile',
      x: 'seconds',
      y: 'MB resident',
      series: [{ name: 'inventory', points: points(({ memoryMB }) => memoryMB) }]
    })
  }
}

interface Pause {
  readonly what: string
  readonly longestMs: number
  readonly usualMs: number
}

/** Longer than the group takes to miss an instance that died. */
const deadMs = 14_000

function measurePauses(context: PartContext, orders: number): Promise<Pause[]> {
  const { quick } = context.arguments
  const settleMs = quick ? 2_000 : 4_000
  return withBacklog(context, orders, async ({ env, probe, inventories }) => {
    const pauses: Pause[] = []
    const during = async (what: string, change: () => Promise<unknown>, watchMs: number) => {
      const gaps = watchGaps(probe)
      await change()
      await delay(watchMs)
      pauses.push({ what, ...(await gaps.stop()) })
    }
    const startOne = async () => {
      inventories.push(...(await startInventories(context, env, 1, { first: inventories.length + 1 })))
    }
    const newest = () => inventories.at(-1) as RunningService
    let isOver = false
    const filling = keepFilling(context, probe, () => isOver)
    try {
      await during('nothing happens', async () => {}, settleMs)
      await during('a second instance starts', startOne, settleMs)
      if (!quick) {
        await during('it is stopped', () => newest().stop(), settleMs)
        await startOne()
        await delay(settleMs)
      }
      await during('one is killed', async () => newest().child.signal('SIGKILL'), deadMs)
      return pauses
    } finally {
      isOver = true
      await filling
    }
  })
}

/** There is always something to do while pauses are measured: gaps in the supply would look like them. */
async function keepFilling(context: PartContext, probe: LagProbe, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    const { done, written } = await probe.progress()
    if (written - done < 50_000) await fillOrders(context, 20_000, written)
    else await delay(200)
  }
}

/** Watches when each partition moves on. */
function watchGaps(probe: LagProbe) {
  const movedAtMs: number[] = []
  const gapsMs: number[] = []
  let before: readonly number[] = []
  let isOver = false
  const note = (byPartition: readonly number[]) => {
    const nowMs = performance.now()
    for (const [partition, offset] of byPartition.entries()) {
      movedAtMs[partition] ??= nowMs
      if (offset === before[partition]) continue
      gapsMs.push(nowMs - movedAtMs[partition])
      movedAtMs[partition] = nowMs
    }
    before = byPartition
  }
  const watching = (async () => {
    while (!isOver) {
      note((await probe.progress()).byPartition)
      await delay(10)
    }
  })()
  return {
    async stop() {
      isOver = true
      await watching
      // One that has not moved to the end has paused until now at least.
      const open = movedAtMs.map(atMs => performance.now() - atMs)
      return { longestMs: Math.max(0, ...gapsMs, ...open), usualMs: median(gapsMs.filter(gap => gap > 0)) }
    }
  }
}

function targetsOf({ samples, memory }: Drained): Target[] {
  const growth = growthOf(samples)
  const costs = costByTenth(samples).map(({ us }) => figure(us))
  const why =
    `it goes from ${costs[0]} µs near the beginning to ${costs.at(-1)} at the end` +
    (growth < 0
      ? ': it becomes less, so nothing grows with the backlog. How fast the machine was at the time is in it.'
      : '; what it is spent for is told under *Where our processor time goes*.')
  return [
    memoryTarget('memory of the inventory with a backlog', mostMemory(samples), memory),
    {
      what: 'processor time for an order, change over the backlog',
      wanted: 10,
      direction: 'at most',
      measured: Math.abs(growth) * 100,
      unit: '%',
      why
    }
  ]
}
