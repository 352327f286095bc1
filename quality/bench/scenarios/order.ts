import { availableParallelism } from 'node:os'
import { connectTopics, createSchemaRegistry, topicNames } from '@orderly/contracts'
import { createMissingTopics } from '@orderly/launcher'
import { type ClosedLoop, type LoadResult, startClosedLoop } from '../load/closed-loop.ts'
import { costOf, machineSeconds } from '../measure/cpu-time.ts'
import { interleave } from '../measure/interleave.ts'
import { residentMBOf } from '../measure/memory.ts'
import { median, ratiosByRound, spreadOf } from '../measure/statistics.ts'
import { makeOrder } from '../orders/make-orders.ts'
import { resetTopics } from '../pipeline.ts'
import { profile } from '../profile/profile.ts'
import { barPlot, short } from '../report/plot.ts'
import { figure, figureTable, type Target } from '../report/scenario-report.ts'
import type { Scenario, ScenarioContext } from '../scenario.ts'
import { startService } from '../services.ts'
import { compareFeatures, noDatabase, type Turns } from './order-features.ts'

// Compares `POST /orders`, answered when all in-sync replicas have the order: our service, the same
// service without the producer, and servers in Java and Go with the same checks, records and
// answers.

interface Contestant {
  readonly name: string
  readonly url: string
  readonly pid: number
  stop(): Promise<unknown>
}

interface Sample extends LoadResult {
  readonly rate: number
  readonly cpuUs: number | undefined
  readonly brokerUs: number | undefined
  /** CPU time per order of everything else on the machine, mainly the load generator. */
  readonly restUs: number | undefined
  /** Mean number of idle cores. */
  readonly idleCores: number | undefined
  readonly residentMB: number | undefined
}

const connections = 64
const ours = 'our service'
const bare = 'the same route without Kafka'
const go = 'Go, net/http and franz-go'
const java = 'Java, Undertow and the Java client'

export const benchOrder: Scenario = async context => {
  const { servers, arguments: given, say } = context
  const turns: Turns = given.quick
    ? { connections, seconds: 1, rounds: 1, warmUpSeconds: 1 }
    : { connections, seconds: 5, rounds: 4, warmUpSeconds: 10 }
  const { seconds, rounds, warmUpSeconds } = turns
  await createMissingTopics(servers.connection, { partitions: 4, replicationFactor: 1 })
  const load = await startClosedLoop(given.tool)
  const contestants = await startContestants(context)
  try {
    // One round is not enough for V8 and the JVMs to compile the code of a request.
    for (const { url } of contestants) await load.run(url, { connections, seconds: warmUpSeconds })
    const measure = async ({ name, url, pid }: Contestant): Promise<Sample> => {
      const clocks = { service: pid, broker: servers.brokerPID, machine: machineSeconds }
      const startMs = performance.now()
      const { result, cpuSeconds } = await costOf(clocks, () => load.run(url, { connections, seconds }))
      const cores = availableParallelism()
      const { service = Number.NaN, broker = Number.NaN, machine } = cpuSeconds
      if (result.errors > 0) say(`order: ${name} failed ${result.errors} of ${result.requests} requests`)
      const us = (cost: number | undefined) => (cost === undefined ? undefined : (cost / result.requests) * 1e6)
      return {
        ...result,
        rate: (result.requests - result.errors) / seconds,
        cpuUs: us(cpuSeconds.service),
        brokerUs: us(cpuSeconds.broker),
        restUs: machine && us(machine - service - broker),
        idleCores: machine && cores - machine / ((performance.now() - startMs) / 1_000),
        residentMB: await residentMBOf(pid)
      }
    }
    const samples = await interleave(contestants, rounds, measure, { warmUpRounds: 0 })
    const byName = new Map([...samples].map(([{ name }, list]) => [name, list]))
    await Promise.all(contestants.map(contestant => contestant.stop()))
    const features = await compareFeatures(context, load, turns)
    const markdown = [
      `${connections} connections, each with one request at a time, ${seconds} s per turn, medians of ${rounds} rounds in turns; ` +
        `load from ${load.name} on the same machine. *CPU*: CPU time of the server per order, in all threads; *the rest*: that of all processes but server and broker, mainly the load generator. ` +
        'Our service has no database here, as its peers have none; *Cost of each feature* measures the status projection and keys.',
      describe(byName),
      features.markdown,
      await profileOurs(context, load)
    ].join('\n\n')
    return {
      title: '`POST /orders`',
      markdown,
      plots: plotsOf(byName),
      targets: [...targetsOf(byName), ...features.targets]
    }
  } finally {
    await Promise.all([load.stop(), ...contestants.map(contestant => contestant.stop())])
  }
}

const withoutKafka = `--import=${import.meta.resolve('../ours/without-kafka.ts')}`

/** Profiles the service, the same without Kafka, and the same with the status projection. */
function profileOurs(context: ScenarioContext, load: ClosedLoop): Promise<string> {
  const { servers } = context
  return profile(context, {
    scenario: 'order',
    skipMs: 9_000,
    async run(argumentsFor) {
      const databaseURL = await servers.createDatabase()
      const variants = [
        { name: ours, env: noDatabase, nodeArguments: [] },
        { name: bare, env: noDatabase, nodeArguments: [withoutKafka] },
        { name: 'with the status projection', env: { DATABASE_URL: databaseURL }, nodeArguments: [] }
      ]
      for (const { name, env, nodeArguments } of variants) {
        await resetTopics(servers, 4)
        const service = await startService(servers, {
          service: 'order',
          label: 'order-profiled',
          env,
          nodeArguments: [...nodeArguments, ...argumentsFor(name)]
        })
        await load.run(service.url, { connections, seconds: 15 })
        await service.stop()
      }
      await servers.dropDatabase(databaseURL)
    }
  })
}

async function startContestants({ servers, peers }: ScenarioContext): Promise<Contestant[]> {
  const own = await Promise.all([
    startService(servers, { service: 'order', label: 'order-alone', env: noDatabase }),
    startService(servers, {
      service: 'order',
      label: 'order-bare',
      env: noDatabase,
      nodeArguments: [withoutKafka]
    })
  ])
  const found: Contestant[] = [ours, bare].map((name, index) => {
    const { url, child, stop } = own[index] as (typeof own)[number]
    return { name, url, pid: child.pid, stop }
  })
  const registry = createSchemaRegistry({ url: servers.registryURL })
  const { ordersCreated } = await connectTopics(registry, { ordersCreated: 1 })
  const orderSchemaID = ordersCreated.codec.encode(makeOrder(0)).readInt32BE(1)
  for (const [language, name] of [
    ['go', go],
    ['java', java]
  ] as const) {
    const worker = await peers.start(language, 'order')
    if (worker === undefined) continue
    const { port } = await worker.ask<{ port: number }>({
      brokers: servers.broker,
      topic: topicNames.ordersCreated,
      orderSchemaID
    })
    found.push({ name, url: `http://127.0.0.1:${port}`, pid: worker.pid, stop: () => worker.stop() })
  }
  return found
}

function describe(byName: ReadonlyMap<string, readonly Sample[]>): string {
  const own = byName.get(ours) ?? []
  const rows = [...byName].map(([name, samples]) => {
    const rate = spreadOf(samples.map(sample => sample.rate))
    const figureOf = (pick: (sample: Sample) => number | undefined, digits: number) => {
      const list = samples.map(pick)
      return list.includes(undefined) ? '–' : median(list as number[]).toFixed(digits)
    }
    return [
      name,
      short(rate.median),
      `${short(rate.lowest)} – ${short(rate.highest)}`,
      ratiosByRound(own, samples, ({ rate }) => rate).median.toFixed(2),
      figureOf(({ cpuUs }) => cpuUs, 1),
      figureOf(({ brokerUs }) => brokerUs, 1),
      figureOf(({ restUs }) => restUs, 1),
      figureOf(({ idleCores }) => idleCores, 2),
      figureOf(({ p50Ms }) => p50Ms, 2),
      figureOf(({ p99Ms }) => p99Ms, 2),
      figureOf(({ residentMB }) => residentMB, 0)
    ]
  })
  return figureTable(
    [
      ...['', 'orders/s', 'spread', 'ours ÷ this', 'CPU µs', 'broker CPU µs', 'the rest, CPU µs', 'idle cores'],
      ...['p50 ms', 'p99 ms', 'MB']
    ],
    rows
  )
}

function plotsOf(byName: ReadonlyMap<string, readonly Sample[]>): Record<string, string> {
  const bars = [...byName].map(([label, samples]) => {
    const { median: value, lowest, highest } = spreadOf(samples.map(({ rate }) => rate))
    return { label, value, lowest, highest }
  })
  const costs = [...byName].map(([label, samples]) => ({
    label,
    value: median(samples.map(({ cpuUs }) => cpuUs ?? 0))
  }))
  return {
    rate: barPlot(`POST /orders, ${connections} connections`, 'orders per second', bars),
    cost: barPlot('POST /orders', 'microseconds of CPU time per order', costs)
  }
}

function targetsOf(byName: ReadonlyMap<string, readonly Sample[]>): Target[] {
  const own = byName.get(ours) ?? []
  return (
    [
      [bare, 0.9, '`POST /orders` ÷ the bare route'],
      [go, 0.7, '`POST /orders` ÷ Go']
    ] as const
  ).flatMap(([name, wanted, what]): Target[] => {
    const others = byName.get(name)
    if (others === undefined) return []
    const range = ratiosByRound(own, others, ({ rate }) => rate)
    const why = reasonOf(own, others, wanted)
    return [{ what, wanted, direction: 'at least', measured: range.median, range, why }]
  })
}

/**
 * Explains a missed ratio: the permitted and the actual core time per order, and its components.
 */
function reasonOf(own: readonly Sample[], others: readonly Sample[], wanted: number): string {
  const cores = availableParallelism()
  const of = (samples: readonly Sample[], pick: (sample: Sample) => number | undefined) =>
    median(samples.map(sample => pick(sample) ?? Number.NaN))
  const more = (pick: (sample: Sample) => number | undefined) => `${figure(of(own, pick) - of(others, pick))} µs`
  const allUs = ({ rate }: Sample) => (cores * 1e6) / rate
  const idleUs = ({ rate, idleCores = Number.NaN }: Sample) => (idleCores * 1e6) / rate
  return (
    `load generator, server and broker share ${cores} cores, so the ratio compares the time of all cores per order: ${figure(of(others, allUs))} µs for the other. For ${wanted} ` +
    `ours may take ${figure(of(others, allUs) / wanted - of(others, allUs))} µs more. It takes ${more(allUs)} more: ${more(({ cpuUs }) => cpuUs)} in the service, ` +
    `${more(({ brokerUs }) => brokerUs)} in the broker, ${more(({ restUs }) => restUs)} in all else (mainly the load generator), and ${more(idleUs)} of idle time, while all requests waited for ` +
    'acknowledgements of the broker. *CPU time by package* attributes the time of the service.'
  )
}
