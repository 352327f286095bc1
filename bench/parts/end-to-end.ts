import { residentMBOf } from '../measure/cpu-time.ts'
import type { Part, PartContext } from '../part.ts'
import { startOurs } from '../peers/ours.ts'
import type { Worker } from '../peers/worker.ts'
import { type Pipeline, startPipeline } from '../pipeline.ts'
import { figure, markdownTable, type Target } from '../report/part-report.ts'
import { linePlot } from '../report/plot.ts'
import { profileReport } from '../report/profiles.ts'
import { profileArguments } from '../services.ts'

/**
 * From the request to the committed outcome, and to the notification, through the services as they are: at fixed rates, each order
 * counted from when it was due, and up to the highest rate that the pipeline keeps up with.
 */
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
}

/** Kept up with: nothing refused or lost, and 99 of 100 decided within this. */
const keptUpMs = 1_000
const targetRate = 1_000

export const benchEndToEnd: Part = async context => {
  const { servers, arguments: given, results, say } = context
  const rates = given.quick ? [100] : [250, 500, targetRate]
  const durationMs = given.quick ? 5_000 : 20_000
  const pipeline = await startPipeline(servers, given.profile ? profileArguments(results) : [])
  const worker = startOurs('open-loop-worker')
  const measure = (perSecond: number, durationMs: number) => run(context, pipeline, worker, perSecond, durationMs)
  let profiles = ''
  try {
    // A broker, a database and services that have just started answer a thousand a second ten times slower than after half a minute of it.
    await measure(rates.at(-1) as number, given.quick ? 2_000 : 30_000)
    const measured: Measured[] = []
    for (const perSecond of rates) measured.push(await measure(perSecond, durationMs))
    const highest = given.quick ? undefined : await findHighest(measure, say)
    const memory = await memoryOf(pipeline)
    if (given.profile) profiles = await profileReport(context, 'end-to-end', [pipeline])
    const found =
      highest === undefined ? '' : `The highest rate that was kept up with: **${figure(highest)} orders/s**.`
    const markdown = [
      `Open loop: orders at a fixed rate, ${durationMs / 1_000} s for each, every latency counted from when the request was due ` +
        '(corrected for coordinated omission). *Committed*: a `read_committed` reader has the outcome. *Notified*: the line of the console sink.',
      describe(measured),
      `A rate is kept up with when no order is refused and 99 of 100 have their outcome within ${keptUpMs} ms. ${found}`,
      `Memory after that: ${memory}.`,
      profiles
    ].join('\n\n')
    return {
      title: 'From the request to the outcome and the notification',
      markdown,
      ...(measured.length > 1 && { plots: { latency: plot(measured) } }),
      targets: targetsOf(measured)
    }
  } finally {
    await worker.stop()
    if (profiles === '') await pipeline.stop()
  }
}

async function run(
  { servers, say }: PartContext,
  { order, notification }: Pipeline,
  worker: Worker,
  perSecond: number,
  durationMs: number
): Promise<Measured> {
  say(`end to end: ${perSecond}/s for ${durationMs / 1_000} s`)
  const notificationLog = notification.child.logFile
  const task = { url: order.url, brokers: servers.broker, perSecond, durationMs, notificationLog }
  return { perSecond, ...(await worker.ask<Omit<Measured, 'perSecond'>>(task)) }
}

/** Doubles until it is too much, then halves the gap a few times. */
async function findHighest(
  measure: (perSecond: number, durationMs: number) => Promise<Measured>,
  say: (text: string) => void
): Promise<number> {
  const isKeptUp = async (perSecond: number) => {
    const { sent, errors, committed } = await measure(perSecond, 10_000)
    return errors === 0 && committed.count === sent && committed.p99Ms <= keptUpMs
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
  say(`end to end: ${kept}/s is kept up with, ${tooMuch}/s is not`)
  return kept
}

async function memoryOf({ order, inventory, notification }: Pipeline): Promise<string> {
  const parts = Object.entries({ order, inventory, notification }).map(async ([name, { child }]) => {
    return `${name} ${figure((await residentMBOf(child.pid)) ?? Number.NaN)} MB`
  })
  return (await Promise.all(parts)).join(', ')
}

function describe(measured: readonly Measured[]): string {
  const rows = measured.flatMap(({ perSecond, sent, errors, answered, committed, notified }) =>
    Object.entries({ answered, committed, notified }).map(([what, { count, p50Ms, p99Ms, p999Ms, longestMs }]) => [
      `${perSecond}/s, ${what}`,
      `${count} of ${sent - errors}`,
      ...[p50Ms, p99Ms, p999Ms, longestMs].map(figure)
    ])
  )
  return markdownTable(['', 'orders', 'p50 ms', 'p99 ms', 'p99.9 ms', 'longest ms'], rows)
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

function targetsOf(measured: readonly Measured[]): Target[] {
  const at = measured.find(({ perSecond }) => perSecond === targetRate)
  if (at === undefined) return []
  const what = `request to committed outcome at ${targetRate} orders/s`
  return [
    { what: `${what}, p50`, wanted: 25, direction: 'at most', measured: at.committed.p50Ms, unit: 'ms' },
    { what: `${what}, p99`, wanted: 100, direction: 'at most', measured: at.committed.p99Ms, unit: 'ms' }
  ]
}
