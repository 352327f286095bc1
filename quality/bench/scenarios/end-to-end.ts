import { availableParallelism } from 'node:os'
import { costOf, familySecondsOf } from '../measure/cpu-time.ts'
import { describeMemory, readMemory } from '../measure/memory.ts'
import { readMetrics } from '../measure/service-metrics.ts'
import { startOurs } from '../peers/ours.ts'
import type { Worker } from '../peers/worker.ts'
import { type Pipeline, startPipeline } from '../pipeline.ts'
import { profile } from '../profile/profile.ts'
import { linePlot } from '../report/plot.ts'
import { figure, figureTable, type Target } from '../report/scenario-report.ts'
import type { Scenario, ScenarioContext } from '../scenario.ts'

// Measures latency from the request to the committed outcome and to the notification through the
// unmodified services: at fixed rates, counted from when each order was due. Then finds the highest
// sustainable rate.

interface Latency {
  readonly count: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly p999Ms: number
  readonly longestMs: number
}

interface Measured {
  readonly perSecond: number
  readonly sent: number
  readonly errors: number
  readonly answered: Latency
  readonly committed: Latency
  readonly notified: Latency
  /** Number of busy cores by process. */
  readonly cores: Readonly<Record<string, number>>
  /** Means of the inventory's batches. */
  readonly batch: { readonly orders: number; readonly decideMs: number; readonly commitMs: number }
}

/**
 * Maximum p99 latency of outcomes and notifications at a sustainable rate, at which also no order
 * fails.
 */
const keptUpMs = 1_000
const targetRate = 1_000

export const benchEndToEnd: Scenario = async context => {
  const { servers, arguments: given, say } = context
  const rates = given.quick ? [100] : [250, 500, targetRate]
  const durationMs = given.quick ? 4_000 : 20_000
  const pipeline = await startPipeline(servers)
  const worker = startOurs('open-loop-worker')
  const measure = (perSecond: number, durationMs: number) => run(context, pipeline, worker, perSecond, durationMs)
  try {
    // Warms up: just after a start, latency at 1,000/s is ten times higher than after half a
    // minute.
    await measure(rates.at(-1) as number, given.quick ? 1_000 : 30_000)
    const measured: Measured[] = []
    for (const perSecond of rates) measured.push(await measure(perSecond, durationMs))
    const highest = given.quick ? undefined : await findHighest(measure, say)
    const memory = await memoryAfter(pipeline)
    await pipeline.stop()
    const found = highest === undefined ? '' : `The highest sustainable rate: **${figure(highest)} orders/s**.`
    const markdown = [
      `Open loop: orders at fixed rates, ${durationMs / 1_000} s each; latency is counted from when the request was due ` +
        '(corrected for coordinated omission). *Committed*: a `read_committed` reader has received the outcome. *Notified*: the console sink has written the notification.',
      describe(measured),
      describeWork(measured),
      `A rate is sustainable if no order fails during 10 s and the p99 latency of outcomes and notifications is at most ${keptUpMs} ms. ${found}`,
      `Memory afterwards:\n\n${memory}`,
      await profileOurs(context, worker, rates.at(-1) as number)
    ].join('\n\n')
    return {
      title: 'From the request to the outcome and the notification',
      result: resultOf(measured, highest),
      markdown,
      ...(measured.length > 1 && { plots: { latency: plot(measured) } }),
      targets: targetsOf(measured)
    }
  } finally {
    await worker.stop()
    await pipeline.stop()
  }
}

async function run(
  { servers, say }: ScenarioContext,
  { order, inventory, notification, aggregator }: Pipeline,
  worker: Worker,
  perSecond: number,
  durationMs: number
): Promise<Measured> {
  say(`end to end: ${perSecond}/s for ${durationMs / 1_000} s`)
  const notificationLog = notification.child.logFile
  const task = { url: order.url, brokers: servers.broker, perSecond, durationMs, notificationLog }
  const clocks = {
    ...{
      load: worker.pid,
      order: order.child.pid,
      inventory: inventory.child.pid,
      notification: notification.child.pid,
      aggregator: aggregator.child.pid
    },
    ...{ Postgres: () => familySecondsOf(servers.postgresPID), broker: servers.brokerPID }
  }
  const before = await readMetrics(inventory.url)
  const startedMs = performance.now()
  const { result, cpuSeconds } = await costOf(clocks, () =>
    worker.ask<Omit<Measured, 'perSecond' | 'cores' | 'batch'>>(task)
  )
  const seconds = (performance.now() - startedMs) / 1_000
  const after = await readMetrics(inventory.url)
  const grown = (name: string, label?: string) => after(name, label) - (before(name, label) || 0)
  const batches = grown('orderly_stage_batch_records_count')
  const stepMs = (step: string) =>
    (grown('orderly_stage_batch_duration_seconds_sum', `step="${step}"`) / batches) * 1_000
  return {
    perSecond,
    ...result,
    cores: Object.fromEntries(Object.entries(cpuSeconds).map(([name, cpu]) => [name, cpu / seconds])),
    batch: {
      orders: grown('orderly_stage_batch_records_sum') / batches,
      decideMs: stepMs('process'),
      commitMs: stepMs('commit')
    }
  }
}

/** Profiles the services at this rate. */
function profileOurs(context: ScenarioContext, worker: Worker, perSecond: number): Promise<string> {
  return profile(context, {
    scenario: 'end-to-end',
    skipMs: 20_000,
    async run(argumentsFor) {
      const pipeline = await startPipeline(context.servers, argumentsFor)
      try {
        await run(context, pipeline, worker, perSecond, 35_000)
      } finally {
        await pipeline.stop()
      }
    }
  })
}

/**
 * Finds the highest sustainable rate: doubles the rate until it is too high, then bisects three
 * times.
 */
async function findHighest(
  measure: (perSecond: number, durationMs: number) => Promise<Measured>,
  say: (text: string) => void
): Promise<number> {
  const isKeptUp = async (perSecond: number) => {
    const { sent, errors, committed, notified } = await measure(perSecond, 10_000)
    const isInTime = ({ count, p99Ms }: typeof committed) => count === sent && p99Ms <= keptUpMs
    return errors === 0 && isInTime(committed) && isInTime(notified)
  }
  let kept = 0
  let tooMuch = targetRate
  while (tooMuch <= 64_000 && (await isKeptUp(tooMuch))) {
    kept = tooMuch
    tooMuch *= 2
  }
  for (let step = 0; step < 3; step++) {
    const middle = Math.round((kept + tooMuch) / 2)
    if (await isKeptUp(middle)) kept = middle
    else tooMuch = middle
  }
  say(`end to end: ${kept}/s is sustainable, ${tooMuch}/s is not`)
  return kept
}

async function memoryAfter({ stop: _, ...services }: Pipeline): Promise<string> {
  const parts = Object.entries(services).map(async ([name, service]) => [name, await readMemory(service)] as const)
  return describeMemory(Object.fromEntries(await Promise.all(parts)))
}

const sumOf = (cores: Measured['cores']) => Object.values(cores).reduce((sum, busy) => sum + busy, 0)

function describeWork(measured: readonly Measured[]): string {
  const names = Object.keys(measured[0]?.cores ?? {})
  const rows = measured.map(({ perSecond, cores, batch }) => [
    `${perSecond}/s`,
    ...[...names.map(name => cores[name] ?? Number.NaN), sumOf(cores)].map(figure),
    ...[batch.orders, batch.decideMs, batch.commitMs].map(figure)
  ])
  return (
    'Busy cores of each process, and the batches of the inventory: orders per batch, and the time to decide and to commit one.\n\n' +
    figureTable(['', ...names, 'all', 'orders per batch', 'decide ms', 'commit ms'], rows)
  )
}

function describe(measured: readonly Measured[]): string {
  const rows = measured.flatMap(({ perSecond, sent, errors, answered, committed, notified }) =>
    Object.entries({ answered, committed, notified }).map(([what, { count, p50Ms, p99Ms, p999Ms, longestMs }]) => [
      `${perSecond}/s, ${what}`,
      `${count} of ${sent - errors}`,
      ...[p50Ms, p99Ms, p999Ms, longestMs].map(figure)
    ])
  )
  return figureTable(['', 'orders', 'p50 ms', 'p99 ms', 'p99.9 ms', 'longest ms'], rows)
}

function plot(measured: readonly Measured[]): string {
  const line = (name: string, pick: (one: Measured) => number) => ({
    name,
    points: measured.map(one => [one.perSecond, pick(one)] as const)
  })
  return linePlot({
    title: 'Request to committed outcome',
    x: 'orders per second',
    y: 'milliseconds',
    series: [
      line('p50', ({ committed }) => committed.p50Ms),
      line('p99', ({ committed }) => committed.p99Ms),
      line('p99 notified', ({ notified }) => notified.p99Ms)
    ]
  })
}

function resultOf(measured: readonly Measured[], highest: number | undefined): string {
  const at = measured.at(-1) as Measured
  const latency =
    `at ${at.perSecond} orders/s the outcome is committed after p50 ${figure(at.committed.p50Ms)} ms and ` +
    `p99 ${figure(at.committed.p99Ms)} ms, and notified after p50 ${figure(at.notified.p50Ms)} ms`
  return highest === undefined ? latency : `${latency}; the highest sustained rate is ${figure(highest)} orders/s`
}

function targetsOf(measured: readonly Measured[]): Target[] {
  const at = measured.find(({ perSecond }) => perSecond === targetRate)
  if (at === undefined) return []
  const what = `request to committed outcome at ${targetRate} orders/s`
  const { cores, answered, batch } = at
  const why =
    `${figure(sumOf(cores))} of ${availableParallelism()} cores are busy, including the load generator's, so processes wait for a core at every hop. The answer takes ` +
    `${figure(answered.p50Ms)} ms (p99 ${figure(answered.p99Ms)}). An order then waits for the previous batch and for its own; ` +
    `on average, a batch is decided in ${figure(batch.decideMs)} ms and committed in ${figure(batch.commitMs)} ms.`
  const target = { direction: 'at most', unit: 'ms', why } as const
  return [
    { what: `${what}, p50`, wanted: 25, measured: at.committed.p50Ms, ...target },
    { what: `${what}, p99`, wanted: 100, measured: at.committed.p99Ms, ...target }
  ]
}
