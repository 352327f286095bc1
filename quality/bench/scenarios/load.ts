import { setTimeout as delay } from 'node:timers/promises'
import { type ClosedLoop, startClosedLoop } from '../load/closed-loop.ts'
import { costOf, familySecondsOf } from '../measure/cpu-time.ts'
import { describeMemory, memoryTarget, readMemory, residentMBOf } from '../measure/memory.ts'
import { createPipelineLag, type Reader, readerNames, startPipeline } from '../pipeline.ts'
import { profile } from '../profile/profile.ts'
import { linePlot, type Series } from '../report/plot.ts'
import { figure, figureTable, type ScenarioReport } from '../report/scenario-report.ts'
import type { Scenario, ScenarioContext } from '../scenario.ts'

// Load test of `POST /orders` that observes the lag of each reader until none has any.

interface Sample {
  readonly atSeconds: number
  readonly written: number
  readonly waiting: Readonly<Record<Reader, number>>
  readonly memoryMB: Readonly<Record<string, number>>
}

const connections = 128
const sampleEveryMs = 500
const drainDeadlineMs = 600_000

export const benchLoad: Scenario = async context => {
  const load = await startClosedLoop(context.arguments.tool)
  try {
    const measured = await measure(context, load)
    return { ...measured, markdown: `${measured.markdown}\n\n${await profileOurs(context, load)}` }
  } finally {
    await load.stop()
  }
}

async function measure({ servers, arguments: given, say }: ScenarioContext, load: ClosedLoop): Promise<ScenarioReport> {
  const seconds = given.quick ? 4 : 30
  const warmUpSeconds = given.quick ? 2 : 20
  const pipeline = await startPipeline(servers)
  const lag = createPipelineLag(servers)
  const { stop, ...services } = pipeline
  const pids = Object.fromEntries(Object.entries(services).map(([name, { child }]) => [name, child.pid]))
  const memories = (when: string) =>
    Promise.all(
      Object.entries(services).map(async ([name, service]) => [`${name}, ${when}`, await readMemory(service)] as const)
    )
  try {
    say('load: warming up the pipeline')
    await load.run(pipeline.order.url, { connections, seconds: warmUpSeconds })
    const { written: writtenBefore } = await lag.estimate()
    const idle = await memories('before')
    const samples: Sample[] = []
    const startedMs = performance.now()
    const secondsSince = () => (performance.now() - startedMs) / 1_000
    let isSlamming = true

    const watch = async (): Promise<void> => {
      let wasDone = false
      while (secondsSince() * 1_000 < seconds * 1_000 + drainDeadlineMs) {
        const isAllWritten = !isSlamming
        const { written, waiting } = await (isSlamming ? lag.estimate() : lag.count())
        const memory = Object.entries(pids).map(async ([name, pid]) => [name, (await residentMBOf(pid)) ?? Number.NaN])
        samples.push({
          atSeconds: secondsSince(),
          written: written - writtenBefore,
          waiting,
          memoryMB: Object.fromEntries(await Promise.all(memory))
        })
        const isDone = isAllWritten && readerNames.every(reader => waiting[reader] === 0)
        // Requires two samples without lag: in the first, outcomes may have been written after the
        // lag of their readers was read and before that of the inventory was.
        if (isDone && wasDone) return
        wasDone = isDone
        await delay(sampleEveryMs)
      }
      throw new Error(
        `readers still have lag ${drainDeadlineMs / 1_000} s after the load: ${JSON.stringify(samples.at(-1)?.waiting)}`
      )
    }
    say(`load: ${seconds} s of ${load.name}, then until no reader has lag`)
    const clocks = { ...pids, broker: servers.brokerPID, Postgres: () => familySecondsOf(servers.postgresPID) }
    const watching = watch()
    watching.catch(() => {}) // awaited below, where a rejection is reported
    const { result, cpuSeconds } = await costOf(clocks, async () => {
      const result = await load.run(pipeline.order.url, { connections, seconds })
      const endedAt = secondsSince()
      const loaded = await memories('at the end of the load')
      isSlamming = false
      await watching
      return { ...result, endedAt, loaded }
    })
    // Counted in the topic, because load generators count broken and final requests differently.
    const accepted = samples.at(-1)?.written ?? 0
    const mostMemory = (name: string) => Math.max(...samples.map(({ memoryMB }) => memoryMB[name] ?? 0))
    const costs = Object.entries(cpuSeconds).map(([name, cpu]) => [
      name,
      figure((cpu / accepted) * 1e6),
      name in pids ? figure(mostMemory(name)) : '–'
    ])
    const targets = Object.keys(services).map((name, index) => {
      const [, memory] = result.loaded[index] as (typeof result.loaded)[number]
      return memoryTarget(`memory of ${name} under full load`, mostMemory(name), memory)
    })
    const markdown = [
      `${connections} connections for ${seconds} s after a warm-up of ${warmUpSeconds} s, load from ${load.name} on the same machine: ${figure(accepted)} orders were accepted ` +
        `(${figure(accepted / result.endedAt)}/s), ${result.errors} requests failed. Latency of answers: p50 ${figure(result.p50Ms)} ms, p99 ${figure(result.p99Ms)} ms.`,
      'Maximum lag of each reader (including transaction markers for outcomes), and time from the end of the load until it had none ' +
        `(sampled every ${figure((samples.at(-1)?.atSeconds ?? 0) / samples.length)} s). The inventory and the aggregator read orders, the notification service reads outcomes, the status projection both.`,
      describeLag(samples, result.endedAt),
      figureTable(['', 'CPU µs per order', 'peak memory MB'], costs),
      describeMemory(Object.fromEntries([...idle, ...result.loaded]))
    ].join('\n\n')
    const largestLag = Math.max(...samples.flatMap(({ waiting }) => Object.values(waiting)))
    const summary =
      `${figure(accepted / result.endedAt)} orders/s accepted, answered in p50 ${figure(result.p50Ms)} ms and ` +
      `p99 ${figure(result.p99Ms)} ms; the largest lag of a reader was ${figure(largestLag)} records`
    return { title: 'Load and lag', result: summary, markdown, plots: plotsOf(samples, Object.keys(pids)), targets }
  } finally {
    await lag.close()
    await stop()
  }
}

function describeLag(samples: readonly Sample[], loadEndedAt: number): string {
  const rows = readerNames.map(reader => {
    const most = Math.max(...samples.map(({ waiting }) => waiting[reader]))
    const drained = samples[samples.findLastIndex(({ waiting }) => waiting[reader] > 0) + 1]
    return [reader, figure(most), figure(Math.max(0, (drained?.atSeconds ?? Number.NaN) - loadEndedAt))]
  })
  return figureTable(['', 'maximum lag', 'drained after s'], rows)
}

/** Profiles the services under load. */
function profileOurs(context: ScenarioContext, load: ClosedLoop): Promise<string> {
  return profile(context, {
    scenario: 'load',
    skipMs: 10_000,
    withMemory: true,
    async run(argumentsFor) {
      const pipeline = await startPipeline(context.servers, argumentsFor)
      try {
        await load.run(pipeline.order.url, { connections, seconds: 25 })
      } finally {
        await pipeline.stop()
      }
    }
  })
}

function plotsOf(samples: readonly Sample[], names: readonly string[]): Record<string, string> {
  const line = (name: string, pick: (sample: Sample) => number): Series => ({
    name,
    points: samples.map(sample => [sample.atSeconds, pick(sample)])
  })
  const lag = [
    line('orders written', ({ written }) => written),
    ...readerNames.map(reader => line(`lag: ${reader}`, ({ waiting }) => waiting[reader]))
  ]
  const memory = names.map(name => line(name, ({ memoryMB }) => memoryMB[name] ?? 0))
  return {
    lag: linePlot({ title: 'Orders written, and lag', x: 'seconds', y: 'records', series: lag }),
    memory: linePlot({ title: 'Memory under load', x: 'seconds', y: 'MB resident', series: memory })
  }
}
