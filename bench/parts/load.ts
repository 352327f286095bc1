import { setTimeout as delay } from 'node:timers/promises'
import { type ClosedLoop, startClosedLoop } from '../load/closed-loop.ts'
import { costOf } from '../measure/cpu-time.ts'
import { describeMemory, memoryTarget, readMemory, residentMBOf } from '../measure/memory.ts'
import type { Part, PartContext } from '../part.ts'
import { createLagProbe, startPipeline } from '../pipeline.ts'
import { profile } from '../profile/profile.ts'
import { figure, markdownTable } from '../report/part-report.ts'
import { linePlot, type Series } from '../report/plot.ts'

/** Slams `POST /orders` and watches how many orders wait for the inventory, until none does. */
interface Sample {
  readonly atSeconds: number
  readonly written: number
  readonly lag: number
  readonly memoryMB: Readonly<Record<string, number>>
}

const connections = 128
const sampleEveryMs = 250
const drainDeadlineMs = 600_000

export const benchLoad: Part = async context => {
  const { servers, arguments: given, say } = context
  const seconds = given.quick ? 4 : 30
  const pipeline = await startPipeline(servers)
  const load = await startClosedLoop(given.tool)
  const probe = createLagProbe(servers)
  const services = { order: pipeline.order, inventory: pipeline.inventory, notification: pipeline.notification }
  const pids = Object.fromEntries(Object.entries(services).map(([name, { child }]) => [name, child.pid]))
  const memories = (when: string) =>
    Promise.all(
      Object.entries(services).map(async ([name, service]) => [`${name}, ${when}`, await readMemory(service)] as const)
    )
  const samples: Sample[] = []
  const startedMs = performance.now()
  const secondsSince = () => (performance.now() - startedMs) / 1_000
  let isSlamming = true

  async function watch(): Promise<number> {
    while (secondsSince() * 1_000 < seconds * 1_000 + drainDeadlineMs) {
      const { done, written } = await probe.progress()
      const memory = Object.entries(pids).map(async ([name, pid]) => [name, (await residentMBOf(pid)) ?? Number.NaN])
      samples.push({
        atSeconds: secondsSince(),
        written,
        lag: written - done,
        memoryMB: Object.fromEntries(await Promise.all(memory))
      })
      if (!isSlamming && done === written) return secondsSince()
      await delay(sampleEveryMs)
    }
    throw new Error(`orders still wait after ${drainDeadlineMs / 1_000} s`)
  }

  try {
    const idle = await memories('before')
    say(`load: ${seconds} s of ${load.name}, then until nothing waits`)
    const watching = watch()
    const { result, cpuSeconds } = await costOf({ ...pids, broker: servers.brokerPID }, async () => {
      const result = await load.run(pipeline.order.url, { connections, seconds })
      const endedAt = secondsSince()
      const loaded = await memories('at the end of the load')
      isSlamming = false
      return { ...result, endedAt, loaded, drainedAt: await watching }
    })
    await pipeline.stop()
    const mostLag = Math.max(...samples.map(({ lag }) => lag))
    const accepted = result.requests - result.errors
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
      `${connections} connections for ${seconds} s, load from ${load.name} on the same machine: ${figure(accepted)} orders were accepted ` +
        `(${figure(accepted / result.endedAt)}/s), ${result.errors} were refused. Answered in p50 ${figure(result.p50Ms)} ms, p99 ${figure(result.p99Ms)} ms.`,
      `At most ${figure(mostLag)} orders waited for the inventory; nothing waited any more ` +
        `**${figure(result.drainedAt - result.endedAt)} s** after the load had ended.`,
      markdownTable(['', 'CPU µs an order', 'most memory MB'], costs),
      describeMemory(Object.fromEntries([...idle, ...result.loaded])),
      await profileOurs(context, load)
    ].join('\n\n')
    return { title: 'Load and lag', markdown, plots: plotsOf(samples, Object.keys(pids)), targets }
  } finally {
    await probe.close()
    await load.stop()
    await pipeline.stop()
  }
}

/** The services while they are slammed. */
function profileOurs(context: PartContext, load: ClosedLoop): Promise<string> {
  return profile(context, {
    part: 'load',
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
  const lag = [line('written', ({ written }) => written), line('waiting', ({ lag }) => lag)]
  const memory = names.map(name => line(name, ({ memoryMB }) => memoryMB[name] ?? 0))
  return {
    lag: linePlot({ title: 'Orders written, and waiting for the inventory', x: 'seconds', y: 'orders', series: lag }),
    memory: linePlot({ title: 'Memory under load', x: 'seconds', y: 'MB resident', series: memory })
  }
}
